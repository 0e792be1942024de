/* What `llmlab login` keeps for the other commands: a server and who one is
 * there. One file, for its owner only, below XDG_CONFIG_HOME or ~/.config. */
#ifndef LLMLAB_CLI_SAVED_LOGIN_H
#define LLMLAB_CLI_SAVED_LOGIN_H

#include <stdbool.h>

#define CLI_LOGIN_TEXT 1024

typedef struct cli_saved_login_s {
    char url[CLI_LOGIN_TEXT];
    char key[128];     /* "": a session instead */
    char session[128]; /* the cookie's value */
    char csrf[128];
} cli_saved_login_t;

/* False when there is none. */
bool cli_saved_login_read(cli_saved_login_t *out);
/* False after a line on stderr. */
bool cli_saved_login_write(const cli_saved_login_t *login);
/* None afterwards; true if there was one. */
bool cli_saved_login_remove(void);

#endif
