/* llmlab login: be known to a server for the other commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/json_write.h"
#include "cli/command.h"
#include "cli/costs.h"
#include "cli/remote.h"

#define SECRET_SIZE 256

static const cli_option_t options[] = {
    {"url", "URL", "llmlab-server's address (else LLMLAB_URL)", 0},
    {"email", "EMAIL", "log in with e-mail address and password", 0},
    {"setup", "TOKEN", "make the server's first account", 0},
    {"invitation", "TOKEN", "accept an invitation", 0},
    {"name", "NAME", "your name, for a new account", 0},
    {"json", NULL, "print JSON", 0},
    {0}};

/* From a terminal without showing it, else a line of standard input. */
static bool
read_secret(const char *prompt, char out[SECRET_SIZE])
{
    struct termios before;
    bool terminal =
        isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    bool good;

    if (terminal) {
        struct termios quiet = before;

        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, stderr);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    good = fgets(out, SECRET_SIZE, stdin) != NULL;
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (good) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    if (!good || out[0] == '\0') {
        fputs("llmlab: nothing was given on standard input\n", stderr);
        return false;
    }
    return true;
}

/* The session's cookie, out of the reply's headers. */
static size_t
take_header(char *line, size_t size, size_t count, void *payload)
{
    static const char name[] = "set-cookie: __Host-llmlab=";
    cli_saved_login_t *login = payload;
    size_t length = size * count;
    size_t used;

    if (length > sizeof(name) && curl_strnequal(line, name, sizeof(name) - 1)) {
        used = strcspn(line + sizeof(name) - 1, ";\r\n");
        snprintf(login->session, sizeof(login->session), "%.*s", (int)used,
                 line + sizeof(name) - 1);
    }
    return length;
}

static void
put(llmlab__json_out_t *out, const char *name, const char *value)
{
    if (value != NULL) {
        llmlab__json_key_n(out, name, strlen(name));
        llmlab__json_put_text(out, value);
    }
}

static int
finish(const cli_args_t *args, const cli_saved_login_t *login, const char *who)
{
    if (!cli_saved_login_write(login)) {
        return CLI_FAILED;
    }
    if (cli_args_flag(args, "json")) {
        llmlab__buf_t buf;
        llmlab__json_out_t out;

        llmlab__buf_init(&buf);
        llmlab__json_out_init(&out, &buf);
        llmlab__json_begin_object(&out);
        put(&out, "url", login->url);
        put(&out, "as", who);
        llmlab__json_end_object(&out);
        llmlab__buf_text(&buf, "\n");
        fwrite(buf.data, 1, buf.size, stdout);
        llmlab__buf_cleanup(&buf);
    } else {
        printf("logged in to %s as %s\n", login->url, who);
    }
    return CLI_OK;
}

/* The key is tried before it is kept. */
static int
login_by_key(const cli_args_t *args, cli_server_t *server,
             cli_saved_login_t *login)
{
    char key[SECRET_SIZE];
    cli_remote_t remote;
    cJSON *list = NULL;
    bool good;

    if (!read_secret("API key: ", key)) {
        return CLI_FAILED;
    }
    if (strlen(key) >= sizeof(login->key)) {
        fputs("llmlab: this is no API key: it is too long\n", stderr);
        return CLI_FAILED;
    }
    memcpy(login->key, key, strlen(key) + 1);
    server->key = login->key;
    good = cli_remote_open(&remote, server);
    if (good) {
        cli_remote_begin_server(&remote, "projects");
        good = cli_remote_get_json(&remote, &list);
    }
    cJSON_Delete(list);
    cli_remote_close(&remote);
    memset(key, 0, sizeof(key));
    return good ? finish(args, login, "a key") : CLI_FAILED;
}

static bool
ask_for_session(cli_remote_t *remote, const cli_args_t *args,
                const char *password, cli_saved_login_t *login)
{
    const char *setup = cli_args_get(args, "setup");
    const char *invitation = cli_args_get(args, "invitation");
    llmlab__buf_t body;
    llmlab__json_out_t out;
    cJSON *session = NULL;
    const char *csrf = NULL;
    bool good;

    llmlab__buf_init(&body);
    llmlab__json_out_init(&out, &body);
    llmlab__json_begin_object(&out);
    put(&out, "token", setup != NULL ? setup : invitation);
    if (invitation == NULL) {
        put(&out, "email", cli_args_get(args, "email"));
    }
    if (setup != NULL || invitation != NULL) {
        put(&out, "name", cli_args_get(args, "name"));
    }
    put(&out, "password", password);
    llmlab__json_end_object(&out);
    cli_remote_begin_server(remote, setup != NULL        ? "auth/setup"
                                    : invitation != NULL ? "auth/accept"
                                                         : "auth/login");
    curl_easy_setopt(remote->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(remote->curl, CURLOPT_HEADERDATA, login);
    good = cli_remote_send(remote, "POST", &body);
    if (good &&
        llmlab__json_dom_parse(&session, (const char *)remote->body.data,
                               remote->body.size, 8) == LLMLAB_OK) {
        csrf = cli_member_text(session, "csrf_token");
    }
    if (csrf != NULL) {
        snprintf(login->csrf, sizeof(login->csrf), "%s", csrf);
    }
    if (good && (csrf == NULL || login->session[0] == '\0')) {
        fprintf(stderr,
                "llmlab: %s begins no session: is it an "
                "llmlab-server?\n",
                login->url);
        good = false;
    }
    cJSON_Delete(session);
    llmlab__buf_cleanup(&body);
    return good;
}

static int
login_by_password(const cli_args_t *args, cli_server_t *server,
                  cli_saved_login_t *login)
{
    const char *email = cli_args_get(args, "email");
    char password[SECRET_SIZE];
    cli_remote_t remote;
    bool good;

    if (email == NULL) {
        fputs("llmlab: login: --email is needed too\n", stderr);
        return CLI_MISUSED;
    }
    if (!read_secret("password: ", password)) {
        return CLI_FAILED;
    }
    server->key = ""; /* nobody yet */
    good = cli_remote_open(&remote, server) &&
           ask_for_session(&remote, args, password, login);
    cli_remote_close(&remote);
    memset(password, 0, sizeof(password));
    return good ? finish(args, login, email) : CLI_FAILED;
}

static int
run_login(const cli_args_t *args)
{
    cli_saved_login_t login = {.url = ""};
    cli_server_t server = {.key = NULL, .project = "-"};
    int code;

    cli_server_url(&server, args);
    if (strlen(server.url) >= sizeof(login.url)) {
        fputs("llmlab: the address is too long\n", stderr);
        return CLI_MISUSED;
    }
    snprintf(login.url, sizeof(login.url), "%s", server.url);
    code = cli_args_get(args, "email") != NULL ||
                   cli_args_get(args, "setup") != NULL ||
                   cli_args_get(args, "invitation") != NULL
               ? login_by_password(args, &server, &login)
               : login_by_key(args, &server, &login);
    memset(&login, 0, sizeof(login));
    return code;
}

const cli_command_t cli_command_login = {
    .name = "login",
    .synopsis = "[--email EMAIL] [options]",
    .summary = "be known to a server for the other commands",
    .help =
        "Reads an API key, or with --email a password, from the terminal or\n"
        "standard input, and keeps the login in ~/.config/llmlab for commands\n"
        "that are given no key. A session ends after 12 hours, or 30 minutes\n"
        "without use.",
    .options = options,
    .run = run_login,
};

static const cli_option_t logout_options[] = {{"json", NULL, "print JSON", 0},
                                              {0}};

static int
run_logout(const cli_args_t *args)
{
    cli_saved_login_t login;
    cli_server_t server = {.url = "", .project = "-"};
    cli_remote_t remote;
    bool ended = true;

    if (!cli_saved_login_read(&login)) {
        fputs("llmlab: nobody is logged in\n", stderr);
        return CLI_FAILED;
    }
    if (login.key[0] == '\0') {
        ended = cli_remote_open(&remote, &server);
        if (ended) {
            cli_remote_begin_server(&remote, "auth/logout");
            ended = cli_remote_send(&remote, "POST", NULL);
        }
        cli_remote_close(&remote);
    }
    memset(&login, 0, sizeof(login));
    if (!cli_saved_login_remove()) {
        perror("llmlab: the login cannot be removed");
        return CLI_FAILED;
    }
    fputs(cli_args_flag(args, "json") ? "{}\n" : "logged out\n", stdout);
    return ended ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_logout = {
    .name = "logout",
    .synopsis = "[options]",
    .summary = "end the login",
    .help = "Ends the session at the server and removes what login kept.",
    .options = logout_options,
    .run = run_logout,
};
