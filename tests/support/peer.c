#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "base/api_key.h"
#include "support/peer.h"

static int
start(peer_t *peer, char *const arguments[])
{
    int in[2];
    int out[2];
    char line[32] = "";
    size_t size = 0;
    ssize_t got;

    if (system("python3 -c pass >/dev/null 2>&1") != 0) {
        return 0;
    }
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execvp("python3", arguments);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    peer->input = in[1];
    while (strchr(line, '\n') == NULL && size < sizeof(line) - 1 &&
           (got = read(out[0], line + size, sizeof(line) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    close(out[0]);
    peer->port = atoi(line);
    assert_true(peer->port > 0);
    snprintf(peer->url, sizeof(peer->url), "%s://127.0.0.1:%d",
             peer->certificate[0] != '\0' ? "https" : "http", peer->port);
    return 1;
}

static char script[] = LLMLAB_SOURCE_DIR "/tests/support/fault_peer.py";

int
peer_start(peer_t *peer)
{
    char *const arguments[] = {"python3", script, NULL};

    memset(peer, 0, sizeof(*peer));
    return start(peer, arguments);
}

static int
start_tls(peer_t *peer, char *mutual)
{
    char *const arguments[] = {
        "python3",         script, "--tls", peer->certificate,
        peer->certificate, mutual, NULL};
    char command[600];

    memset(peer, 0, sizeof(*peer));
    snprintf(peer->certificate, sizeof(peer->certificate),
             "/tmp/llmlab-peer-%d.pem", (int)getpid());
    /* Key and certificate in one file. */
    snprintf(command, sizeof(command),
             "umask 077; openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=peer "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s "
             "2>/dev/null && cat %s.key >> %s && rm %s.key",
             peer->certificate, peer->certificate, peer->certificate,
             peer->certificate, peer->certificate);
    return system(command) == 0 && start(peer, arguments);
}

int
peer_start_tls(peer_t *peer)
{
    return start_tls(peer, NULL);
}

int
peer_start_mutual_tls(peer_t *peer)
{
    static char word[] = "--mutual";

    return start_tls(peer, word);
}

void
peer_stop(peer_t *peer)
{
    if (peer->pid > 0) {
        close(peer->input);
        kill(peer->pid, SIGTERM);
        waitpid(peer->pid, NULL, 0);
        peer->pid = 0;
    }
    if (peer->certificate[0] != '\0') {
        unlink(peer->certificate);
    }
}

/* By hand and not by libcurl, whose state is under test. */
static char *
request(const peer_t *peer, const char *method, const char *path,
        const char *body)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)peer->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *text = calloc(1, 65536);
    size_t size = 0;
    ssize_t got;
    char *start;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_non_null(text);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    dprintf(fd, "%s %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", method, path,
            strlen(body), body);
    shutdown(fd, SHUT_WR);
    while ((got = read(fd, text + size, 65535 - size)) > 0) {
        size += (size_t)got;
    }
    close(fd);
    start = strstr(text, "\r\n\r\n");
    assert_non_null(start);
    memmove(text, start + 4, strlen(start + 4) + 1);
    return text;
}

void
peer_script(const peer_t *peer, const char *json)
{
    free(request(peer, "POST", "/script", json));
}

cJSON *
peer_report(const peer_t *peer)
{
    char *text = request(peer, "GET", "/report", "");
    cJSON *json = cJSON_Parse(text);
    const cJSON *faults = cJSON_GetObjectItem(json, "faults");

    assert_non_null(json);
    if (cJSON_GetArraySize(faults) > 0) {
        fail_msg("the peer saw: %s", text);
    }
    free(text);
    return json;
}

double
peer_number(const peer_t *peer, const char *name)
{
    cJSON *json = peer_report(peer);
    double number = cJSON_GetNumberValue(cJSON_GetObjectItem(json, name));

    cJSON_Delete(json);
    return number;
}

const char *
peer_key(void)
{
    static char key[LLMLAB__API_KEY_SIZE + 1];

    if (key[0] == '\0') {
        llmlab__api_key_make(key);
    }
    return key;
}
