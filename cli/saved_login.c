#include "cli/saved_login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_dom.h"
#include "base/json_write.h"
#include "cli/file.h"

#define PATH_SIZE 4096

/* The folder is made when the file is to be written. */
static bool
file_path(char out[PATH_SIZE], bool make)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    char folder[PATH_SIZE - 32];
    int size;

    if (config != NULL && config[0] == '/') {
        size = snprintf(folder, sizeof(folder), "%s", config);
    } else if (home != NULL && home[0] == '/') {
        size = snprintf(folder, sizeof(folder), "%s/.config", home);
    } else {
        return false;
    }
    if (size < 0 || (size_t)size >= sizeof(folder) - 8) {
        return false;
    }
    if (make) {
        (void)mkdir(folder, 0700);
    }
    strcat(folder, "/llmlab");
    if (make) {
        (void)mkdir(folder, 0700);
    }
    snprintf(out, PATH_SIZE, "%s/login.json", folder);
    return true;
}

static bool
take(const cJSON *object, const char *name, char *out, size_t capacity)
{
    const char *text =
        llmlab__json_dom_string(llmlab__json_dom_get(object, name));

    return snprintf(out, capacity, "%s", text != NULL ? text : "") <
           (int)capacity;
}

bool
cli_saved_login_read(cli_saved_login_t *out)
{
    char path[PATH_SIZE];
    llmlab__buf_t text;
    cJSON *object = NULL;
    bool good = false;

    llmlab__buf_init(&text);
    if (file_path(path, false) && cli_file_read(&text, path) &&
        llmlab__json_dom_parse(&object, (const char *)text.data, text.size,
                               4) == LLMLAB_OK) {
        good = take(object, "url", out->url, sizeof(out->url)) &&
               take(object, "key", out->key, sizeof(out->key)) &&
               take(object, "session", out->session, sizeof(out->session)) &&
               take(object, "csrf_token", out->csrf, sizeof(out->csrf)) &&
               out->url[0] != '\0' &&
               (out->key[0] != '\0' || out->session[0] != '\0');
    }
    cJSON_Delete(object);
    llmlab__buf_cleanup(&text);
    return good;
}

static void
put(llmlab__json_out_t *out, const char *name, const char *text)
{
    if (text[0] != '\0') {
        llmlab__json_key_n(out, name, strlen(name));
        llmlab__json_put_text(out, text);
    }
}

bool
cli_saved_login_write(const cli_saved_login_t *login)
{
    char path[PATH_SIZE];
    char next[PATH_SIZE + 8];
    llmlab__json_out_t out;
    llmlab__buf_t text;
    bool good = false;
    int fd;

    if (!file_path(path, true)) {
        fputs("llmlab: HOME is not set: there is no place for the login\n",
              stderr);
        return false;
    }
    llmlab__buf_init(&text);
    llmlab__json_out_init(&out, &text);
    llmlab__json_begin_object(&out);
    put(&out, "url", login->url);
    put(&out, "key", login->key);
    put(&out, "session", login->session);
    put(&out, "csrf_token", login->csrf);
    llmlab__json_end_object(&out);
    llmlab__buf_text(&text, "\n");
    snprintf(next, sizeof(next), "%s.new", path);
    (void)unlink(next);
    fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        good = !text.failed &&
               write(fd, text.data, text.size) == (ssize_t)text.size;
        good = close(fd) == 0 && good && rename(next, path) == 0;
    }
    if (!good) {
        fprintf(stderr, "llmlab: cannot write %s: %s\n", path, strerror(errno));
    }
    llmlab__buf_cleanup(&text);
    return good;
}

bool
cli_saved_login_remove(void)
{
    char path[PATH_SIZE];

    return file_path(path, false) && unlink(path) == 0;
}
