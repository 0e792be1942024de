/* Fingerprints: equal for equal prompts, whatever the API and the writing, and
 * the same as an independent implementation's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include <llmlab/llmlab.h>

#include "base/json_dom.h"
#include "usage/fingerprint.h"

static llmlab_status_t
read_with(llmlab__fingerprint_t *out, const char *project, const char *secret,
          const char *body)
{
    unsigned char key[LLMLAB__FINGERPRINT_KEY];

    llmlab__fingerprint_key(key, project, secret);
    return llmlab__fingerprint_read(out, key, body, strlen(body));
}

static void
assert_hex(const unsigned char *bytes, size_t size, const char *hex)
{
    char text[2 * LLMLAB__FINGERPRINT_SIZE + 1];

    sodium_bin2hex(text, sizeof(text), bytes, size);
    assert_string_equal(text, hex);
}

static void
check_vector(const cJSON *root)
{
    const cJSON *prefix = llmlab__json_dom_get(root, "prefix");
    llmlab__fingerprint_t print;

    assert_int_equal(
        read_with(
            &print,
            llmlab__json_dom_string(llmlab__json_dom_get(root, "project")),
            llmlab__json_dom_string(llmlab__json_dom_get(root, "secret")),
            llmlab__json_dom_string(llmlab__json_dom_get(root, "body"))),
        LLMLAB_OK);
    assert_hex(
        print.whole, sizeof(print.whole),
        llmlab__json_dom_string(llmlab__json_dom_get(root, "fingerprint")));
    assert_int_equal(print.blocks, cJSON_GetArraySize(prefix));
    for (unsigned i = 0; i < print.blocks; i++) {
        assert_hex(print.prefix[i], LLMLAB__FINGERPRINT_BLOCK,
                   llmlab__json_dom_string(cJSON_GetArrayItem(prefix, (int)i)));
    }
}

/* What tests/oracle/fingerprint.py says. */
static void
vectors(void **state)
{
    FILE *file = fopen(
        LLMLAB_SOURCE_DIR "/tests/fixtures/requests/fingerprints.jsonl", "re");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    int count = 0;

    (void)state;
    assert_non_null(file);
    while ((size = getline(&line, &capacity, file)) > 0) {
        cJSON *root;

        assert_int_equal(llmlab__json_dom_parse(&root, line, (size_t)size, 0),
                         LLMLAB_OK);
        check_vector(root);
        cJSON_Delete(root);
        count++;
    }
    assert_int_equal(count, 9);
    free(line);
    fclose(file);
}

/* 70,000 bytes are read at both ends only, and what follows briefly. */
static void
long_texts(void **state)
{
    const char *head = "{\"messages\":[{\"role\":\"user\",\"content\":\"";
    char *body = calloc(1, 80000);
    llmlab__fingerprint_t print;
    size_t i;

    (void)state;
    assert_non_null(body);
    strcpy(body, head);
    memset(body + strlen(head), 'x', 70000);
    strcat(body, "\"},{\"role\":\"user\",\"content\":\"");
    for (i = 0; i < 40; i++) {
        strcat(body, "abcdefgh");
    }
    strcat(body, "\"},{\"role\":\"user\",\"content\":\"short\"}]}");
    assert_int_equal(read_with(&print, "demo", "s3cret", body), LLMLAB_OK);
    assert_hex(print.whole, sizeof(print.whole),
               "732bb6b61c59fb9877e6995d18ded1a1");
    assert_int_equal(print.blocks, 3);
    free(body);
}

static void
what_differs(void **state)
{
    static const char *const bodies[] = {
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"b\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[\"a\",\"\"]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
        "{\"role\":\"user\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"n\"}]}",
        "{\"system\":\"a\",\"messages\":[]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
        "\"tools\":[{\"name\":\"f\"}]}",
    };
    llmlab__fingerprint_t prints[sizeof(bodies) / sizeof(bodies[0])];
    llmlab__fingerprint_t other;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(read_with(&prints[i], "p", "", bodies[i]), LLMLAB_OK);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(prints[i].whole, prints[j].whole, 16);
        }
    }
    assert_int_equal(read_with(&other, "p", "s", bodies[0]), LLMLAB_OK);
    assert_memory_not_equal(other.whole, prints[0].whole, 16);
    assert_int_equal(read_with(&other, "ps", "", bodies[0]), LLMLAB_OK);
    assert_memory_not_equal(other.whole, prints[0].whole, 16);
    /* One message is the beginning of two. */
    assert_memory_equal(prints[4].prefix[0], prints[0].prefix[0], 8);
}

static void
what_is_no_prompt(void **state)
{
    static const char *const bodies[] = {
        "",    "{",   "[]",
        "{}",  "7",   "{\"messages\":[]}",
        "nul", "{}x", "{\"model\":\"m\",\"messages\":null}",
    };
    llmlab__fingerprint_t print;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(read_with(&print, "p", "", bodies[i]), LLMLAB_EPARSE);
    }
}

/* More blocks than a record names: the whole still counts them. */
static void
many_blocks(void **state)
{
    char body[4096] = "{\"input\":[";
    llmlab__fingerprint_t hundred;
    llmlab__fingerprint_t more;

    (void)state;
    for (int i = 0; i < 100; i++) {
        strcat(body, "\"a\",");
    }
    strcat(body, "\"a\"]}");
    assert_int_equal(read_with(&more, "p", "", body), LLMLAB_OK);
    strcpy(body + strlen(body) - strlen(",\"a\"]}"), "]}");
    assert_int_equal(read_with(&hundred, "p", "", body), LLMLAB_OK);
    assert_int_equal(more.blocks, LLMLAB__FINGERPRINT_BLOCKS);
    assert_memory_equal(more.prefix, hundred.prefix, sizeof(more.prefix));
    assert_memory_not_equal(more.whole, hundred.whole, 16);
}

static const char *const hello =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"SECRET\"}]}";

static void
send_request(const char *mode, const char *has, const char *lacks)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_span_t *span;
    char path[] = "/tmp/llmlab-fingerprint-XXXXXX";
    char text[4096] = {0};
    int fd = mkstemp(path);
    FILE *file;

    assert_true(fd >= 0);
    file = fdopen(fd, "r");
    assert_int_equal(llmlab_config_set(config, "exporter", "file"), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "exporter.file", path),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "project", "demo"), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "fingerprint", mode), LLMLAB_OK);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    span = llmlab_span_start(client, NULL, "ask", LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_set_request(span, "openai", "chat_completions",
                                             hello, strlen(hello)),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_request(span, NULL, NULL, NULL, 0),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_request(NULL, NULL, NULL, hello, 1),
                     LLMLAB_EINVAL);
    llmlab_span_end(span);
    llmlab_client_close(client, 5000);
    llmlab_config_destroy(config);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    assert_null(strstr(text, "SECRET"));
    assert_non_null(strstr(text, "\"provider\":\"openai\""));
    assert_non_null(strstr(text, has));
    assert_null(strstr(text, lacks));
    fclose(file);
    unlink(path);
}

static void
spans_carry_them(void **state)
{
    (void)state;
    send_request("off", "\"ask\"", "\"fingerprint\":");
    send_request("request", "\"fingerprint\":\"", "\"prefix\":");
    send_request("prefix", "\"prefix\":[\"", "SECRET");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),      cmocka_unit_test(long_texts),
        cmocka_unit_test(what_differs), cmocka_unit_test(what_is_no_prompt),
        cmocka_unit_test(many_blocks),  cmocka_unit_test(spans_carry_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
