/* llmlab-test: link=llmlab_server_core */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/router.h"
#include "services/cursor.h"

static bool
go(llmlab__request_t *request, const char *method, const char *url)
{
    llmlab__buf_cleanup(&request->reply.body);
    memset(request, 0, sizeof(*request));
    llmlab__buf_init(&request->reply.body);
    return llmlab__route(request, method, url);
}

static void
test_matches(void **state)
{
    llmlab__request_t request = {0};

    (void)state;
    assert_true(go(&request, "GET", "/v1/projects/my.shop/traces/abc"));
    assert_string_equal(request.parts[0], "my.shop");
    assert_string_equal(request.parts[1], "abc");
    assert_true(go(&request, "HEAD", "/healthz"));
    assert_true(go(&request, "POST", "/v1/projects/-/traces"));
    assert_int_equal(request.route->flags, LLMLAB__ROUTE_BATCH);
    assert_true(go(&request, "GET", "/v1/projects/-/traces"));
    assert_int_equal(request.route->flags, 0);
    llmlab__buf_cleanup(&request.reply.body);
}

static void
test_refuses(void **state)
{
    static const char *const nowhere[] = {"",
                                          "/",
                                          "//",
                                          "/v1",
                                          "/v1/project",
                                          "/v1/projects//costs",
                                          "/v1/projects/-/costs/",
                                          "/healthz/",
                                          "/healthzz",
                                          "healthz",
                                          "/v1/projects/a/traces/b/c"};
    llmlab__request_t request = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        assert_false(go(&request, "GET", nowhere[i]));
        assert_int_equal(request.reply.status, 404);
    }
    assert_false(go(&request, "PATCH", "/v1/projects/-/traces"));
    assert_int_equal(request.reply.status, 405);
    assert_string_equal(request.reply.allow, "POST, GET");
    assert_false(go(&request, "HEAD2", "/healthz"));
    llmlab__buf_cleanup(&request.reply.body);
}

/* docs/openapi.yaml has each route with its method, and no other. */
static void
test_T36_openapi_equals_the_table(void **state)
{
    FILE *file = fopen(LLMLAB_SOURCE_DIR "/docs/openapi.yaml", "re");
    bool found[LLMLAB__METRIC_ROUTES] = {false};
    char path[512] = "";
    char line[512];
    bool inside = false;

    (void)state;
    assert_non_null(file);
    assert_true(llmlab__route_count <= LLMLAB__METRIC_ROUTES);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != ' ' && line[0] != '\0') {
            inside = strcmp(line, "paths:") == 0;
            continue;
        }
        if (!inside) {
            continue;
        }
        if (strncmp(line, "  /", 3) == 0) {
            line[strlen(line) - 1] = '\0'; /* the colon */
            (void)snprintf(path, sizeof(path), "%s", line + 2);
        } else if (strcmp(line, "    get:") == 0 ||
                   strcmp(line, "    post:") == 0 ||
                   strcmp(line, "    put:") == 0 ||
                   strcmp(line, "    patch:") == 0 ||
                   strcmp(line, "    delete:") == 0) {
            const char *method = strcmp(line, "    get:") == 0     ? "GET"
                                 : strcmp(line, "    post:") == 0  ? "POST"
                                 : strcmp(line, "    put:") == 0   ? "PUT"
                                 : strcmp(line, "    patch:") == 0 ? "PATCH"
                                                                   : "DELETE";
            bool known = false;

            for (unsigned i = 0; i < llmlab__route_count; i++) {
                if (strcmp(llmlab__routes[i].pattern, path) == 0 &&
                    strcmp(llmlab__routes[i].method, method) == 0) {
                    found[i] = true;
                    known = true;
                }
            }
            if (!known) {
                fail_msg("openapi.yaml has %s of %s, the server not", line,
                         path);
            }
        }
    }
    (void)fclose(file);
    for (unsigned i = 0; i < llmlab__route_count; i++) {
        if (!found[i]) {
            fail_msg("openapi.yaml lacks %s %s", llmlab__routes[i].method,
                     llmlab__routes[i].pattern);
        }
    }
}

static void
test_cursor(void **state)
{
    unsigned char secret[32] = "secret";
    llmlab__cursor_t cursor = {-5, 7, UINT64_MAX, 1};
    llmlab__cursor_t back;
    char text[LLMLAB__CURSOR_TEXT];

    (void)state;
    llmlab__cursor_write(secret, 3, LLMLAB__LIST_CALLS, &cursor, text);
    assert_true(
        llmlab__cursor_read(secret, 3, LLMLAB__LIST_CALLS, text, &back));
    assert_memory_equal(&cursor, &back, sizeof(back));
    assert_false(
        llmlab__cursor_read(secret, 4, LLMLAB__LIST_CALLS, text, &back));
    assert_false(
        llmlab__cursor_read(secret, 3, LLMLAB__LIST_SESSIONS, text, &back));
    for (size_t i = 0; text[i] != '\0'; i++) {
        text[i] ^= 1;
        assert_false(
            llmlab__cursor_read(secret, 3, LLMLAB__LIST_CALLS, text, &back));
        text[i] ^= 1;
    }
    text[126] = '\0';
    assert_false(
        llmlab__cursor_read(secret, 3, LLMLAB__LIST_CALLS, text, &back));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_T36_openapi_equals_the_table),
        cmocka_unit_test(test_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
