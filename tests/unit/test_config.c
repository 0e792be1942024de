#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/config.h>
#include <llmlab/sys/transport.h>

#include "base/api_key.h"
#include "client/config.h"
#include "client/settings.h"

static void
refuse(llmlab_config_t *config, const char *name, const char *value,
       const char *detail)
{
    assert_int_equal(llmlab_config_set(config, name, value), LLMLAB_ECONFIG);
    assert_string_equal(llmlab_status_detail(), detail);
}

static void
accept(llmlab_config_t *config, const char *name, const char *value)
{
    assert_int_equal(llmlab_config_set(config, name, value), LLMLAB_OK);
    assert_string_equal(llmlab_config_get(config, name), value);
}

static void
test_table_is_sound(void **state)
{
    const llmlab_setting_t *row;
    llmlab__settings_t settings;
    size_t count = 0;

    (void)state;
    for (; (row = llmlab_setting_at(count)) != NULL; count++) {
        char variable[64] = "LLMLAB_";
        size_t size = strlen(variable);
        llmlab__setting_id_t id;

        for (const char *at = row->name; *at != '\0'; at++) {
            variable[size++] =
                *at == '.' ? '_' : (char)(*at >= 'a' ? *at - 32 : *at);
        }
        variable[size] = '\0';
        assert_string_equal(row->variable, variable);
        assert_true(strlen(row->text) > 20);
        assert_true(llmlab__setting_find(&id, row->name, strlen(row->name)));
        assert_int_equal(id, count);
        /* Every default is a value that the setting takes. */
        memset(&settings, 0, sizeof(settings));
        assert_int_equal(llmlab__settings_set(&settings, id, row->name,
                                              row->default_value,
                                              strlen(row->default_value)),
                         LLMLAB_OK);
        llmlab__settings_cleanup(&settings);
    }
    assert_int_equal(count, LLMLAB__SETTINGS);
    assert_null(llmlab_setting_at(count + 1));
    assert_null(llmlab_setting_at(SIZE_MAX));
}

static void
test_values_are_checked(void **state)
{
    llmlab_config_t *config = llmlab_config_new();

    (void)state;
    accept(config, "batch.max_calls", "1");
    accept(config, "batch.max_calls", "10000");
    refuse(config, "batch.max_calls", "0", "batch.max_calls: 0 is below 1");
    refuse(config, "batch.max_calls", "10001",
           "batch.max_calls: 10001 is outside 1..10000");
    refuse(config, "batch.max_calls", "99999999999999999999",
           "batch.max_calls: 99999999999999999999 is outside 1..10000");
    refuse(config, "batch.max_calls", "ten",
           "batch.max_calls: \"ten\" is not an integer");
    refuse(config, "batch.max_calls", "",
           "batch.max_calls: \"\" is not an integer");
    refuse(config, "batch.max_calls", " 7",
           "batch.max_calls: \" 7\" is not an integer");
    refuse(config, "batch.max_calls", "7 ",
           "batch.max_calls: \"7 \" is not an integer");
    /* A refused value leaves the one before. */
    assert_string_equal(llmlab_config_get(config, "batch.max_calls"), "10000");

    accept(config, "sample_rate", "0.25");
    accept(config, "sample_rate", "1e-3");
    refuse(config, "sample_rate", "1.5", "sample_rate: 1.5 is outside 0..1");
    refuse(config, "sample_rate", "-0.5", "sample_rate: -0.5 is outside 0..1");
    refuse(config, "sample_rate", "nan",
           "sample_rate: \"nan\" is not a number");
    refuse(config, "sample_rate", "0,5",
           "sample_rate: \"0,5\" is not a number");

    accept(config, "live", "YES");
    refuse(config, "live", "maybe",
           "live: \"maybe\" is neither true nor false");
    accept(config, "exporter", "console");
    refuse(config, "exporter", "kafka",
           "exporter: \"kafka\" is none of server|console|file|memory");
    refuse(config, "exporter", "serv",
           "exporter: \"serv\" is none of server|console|file|memory");

    accept(config, "url", "https://costs.example.org/llmlab");
    refuse(config, "url", "ftp://example.org",
           "url: begins neither with http:// nor https://");
    refuse(config, "url", "example.org", "url: is not a URL");
    refuse(config, "url", "http://", "url: is not a URL");
    refuse(config, "url", "", "url: is not a URL");
    refuse(config, "url", "https://me:secret@example.org",
           "url: must not hold a user name, query or fragment");
    refuse(config, "url", "http://example.org/\r\nX: y",
           "url: holds a control character");
    refuse(config, "project", "a/b",
           "project: \"a/b\" is not 1 to 64 letters, digits, dots, dashes and "
           "underscores");
    llmlab_config_destroy(config);
}

static void
test_unknown_names_are_helped(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    char long_name[300];

    (void)state;
    refuse(config, "batch.maxcalls", "1",
           "unknown setting \"batch.maxcalls\": did you mean "
           "\"batch.max_calls\"?");
    refuse(config, "apikey", "x",
           "unknown setting \"apikey\": did you mean \"api_key\"?");
    refuse(config, "URL", "x", "unknown setting \"URL\"");
    refuse(config, "colour", "x", "unknown setting \"colour\"");
    refuse(config, "", "x", "unknown setting \"\"");
    memset(long_name, 'q', sizeof(long_name));
    assert_int_equal(
        llmlab_config_set_n(config, long_name, sizeof(long_name), "1", 1),
        LLMLAB_ECONFIG);
    assert_true(strlen(llmlab_status_detail()) < 100);
    llmlab_config_destroy(config);
}

static void
test_secrets_stay_secret(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    char key[LLMLAB__API_KEY_SIZE + 1];

    (void)state;
    llmlab__api_key_make(key);
    assert_int_equal(llmlab_config_set(config, "api_key", key), LLMLAB_OK);
    assert_string_equal(llmlab_config_get(config, "api_key"), "***");
    assert_string_equal(config->settings.value[LLMLAB__SETTING_API_KEY], key);
    key[12] = key[12] == 'x' ? 'y' : 'x';
    assert_int_equal(llmlab_config_set(config, "api_key", key), LLMLAB_ECONFIG);
    assert_null(strstr(llmlab_status_detail(), key + 11));
    assert_int_equal(llmlab_config_set(config, "proxy", "http://u:pw@host:1"),
                     LLMLAB_OK);
    assert_string_equal(llmlab_config_get(config, "proxy"), "***");
    llmlab_config_destroy(config);
}

/* A key that was put elsewhere by mistake would be logged, and sent in plain
 * sight. */
static void
test_a_key_in_the_wrong_place_is_not_repeated(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    char key[LLMLAB__API_KEY_SIZE + 1];
    const llmlab_setting_t *row;

    (void)state;
    llmlab__api_key_make(key);
    for (size_t i = 0; (row = llmlab_setting_at(i)) != NULL; i++) {
        if (strcmp(row->type, "secret") == 0) {
            continue;
        }
        assert_int_equal(llmlab_config_set(config, row->name, key),
                         LLMLAB_ECONFIG);
        assert_null(strstr(llmlab_status_detail(), key + 10));
        assert_null(llmlab_config_get(config, row->name));
    }
    refuse(config, "project", key, "project: holds a key: that is api_key's");
    assert_int_equal(llmlab_config_set(config, key, "1"), LLMLAB_ECONFIG);
    assert_null(strstr(llmlab_status_detail(), key + 10));
    llmlab_config_destroy(config);
}

/* Whatever a setting is given, it is taken or refused with a text that names
 * it; what was taken can be read back. */
static void
test_no_value_does_harm(void **state)
{
    static char huge[(1 << 20) + 2];
    static const char *const values[] = {"",
                                         " ",
                                         "0",
                                         "-1",
                                         "00",
                                         "0x10",
                                         "1e3",
                                         "1.0",
                                         "+1",
                                         "1 ",
                                         "\t1",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "18446744073709551616",
                                         "1e999",
                                         "-1e999",
                                         "nan",
                                         "inf",
                                         "true",
                                         "TRUE",
                                         "null",
                                         "|",
                                         "server|console",
                                         "drop|",
                                         "http://",
                                         "http:///",
                                         "http://[",
                                         "http://[::1]:99999",
                                         "https://a b",
                                         "file:///etc/passwd",
                                         "http://\xff",
                                         "\xff\xfe",
                                         "../../etc",
                                         "%s%n%s",
                                         "a\nb",
                                         "\x7f",
                                         huge};
    llmlab_config_t *config = llmlab_config_new();
    const llmlab_setting_t *row;

    (void)state;
    memset(huge, '9', sizeof(huge) - 1);
    for (size_t i = 0; (row = llmlab_setting_at(i)) != NULL; i++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            llmlab_status_t status;

            assert_int_equal(llmlab_config_set(config, row->name, NULL),
                             LLMLAB_OK);
            status = llmlab_config_set(config, row->name, values[v]);
            if (status == LLMLAB_OK) {
                assert_string_equal(
                    llmlab_config_get(config, row->name),
                    strcmp(row->type, "secret") == 0 ? "***" : values[v]);
                continue;
            }
            assert_int_equal(status, LLMLAB_ECONFIG);
            assert_int_equal(
                strncmp(llmlab_status_detail(), row->name, strlen(row->name)),
                0);
            assert_null(llmlab_config_get(config, row->name));
        }
        assert_int_equal(llmlab_config_set_n(config, row->name,
                                             strlen(row->name), "1\0002", 3),
                         LLMLAB_ECONFIG);
    }
    llmlab_config_destroy(config);
}

static void
test_environment_fills_what_is_unset(void **state)
{
    llmlab__settings_t settings;

    (void)state;
    memset(&settings, 0, sizeof(settings));
    setenv("LLMLAB_PROJECT", "from-env", 1);
    setenv("LLMLAB_BATCH_MAX_CALLS", "7", 1);
    setenv("LLMLAB_SERVICE", "", 1);
    assert_int_equal(llmlab__settings_set(&settings, LLMLAB__SETTING_PROJECT,
                                          "project", "set", 3),
                     LLMLAB_OK);
    assert_int_equal(llmlab__settings_environment(&settings), LLMLAB_OK);
    assert_string_equal(
        llmlab__settings_text(&settings, LLMLAB__SETTING_PROJECT), "set");
    assert_int_equal(
        llmlab__settings_int(&settings, LLMLAB__SETTING_BATCH_MAX_CALLS), 7);
    assert_null(settings.value[LLMLAB__SETTING_SERVICE]);
    llmlab__settings_cleanup(&settings);

    setenv("LLMLAB_BATCH_MAX_CALLS", "many", 1);
    assert_int_equal(llmlab__settings_environment(&settings), LLMLAB_ECONFIG);
    assert_string_equal(llmlab_status_detail(),
                        "LLMLAB_BATCH_MAX_CALLS: \"many\" is not an integer");
    llmlab__settings_cleanup(&settings);
    unsetenv("LLMLAB_PROJECT");
    unsetenv("LLMLAB_BATCH_MAX_CALLS");
    unsetenv("LLMLAB_SERVICE");
}

static void
test_typed_reads(void **state)
{
    llmlab__settings_t a;
    llmlab__settings_t b;

    (void)state;
    memset(&a, 0, sizeof(a));
    assert_int_equal(llmlab__settings_choice(&a, LLMLAB__SETTING_EXPORTER), 0);
    assert_true(llmlab__settings_bool(&a, LLMLAB__SETTING_ENABLED));
    assert_true(llmlab__settings_double(&a, LLMLAB__SETTING_SAMPLE_RATE) == 1);
    assert_int_equal(llmlab__settings_set(&a, LLMLAB__SETTING_EXPORTER,
                                          "exporter", "memory", 6),
                     LLMLAB_OK);
    assert_int_equal(llmlab__settings_set(&a, LLMLAB__SETTING_SAMPLE_RATE,
                                          "sample_rate", "0.125", 5),
                     LLMLAB_OK);
    assert_int_equal(llmlab__settings_copy(&b, &a), LLMLAB_OK);
    llmlab__settings_cleanup(&a);
    assert_int_equal(llmlab__settings_choice(&b, LLMLAB__SETTING_EXPORTER), 3);
    assert_true(llmlab__settings_double(&b, LLMLAB__SETTING_SAMPLE_RATE) ==
                0.125);
    llmlab__settings_cleanup(&b);
}

static void
test_null_and_sizes(void **state)
{
    llmlab_config_t *config = llmlab_config_new();

    (void)state;
    assert_int_equal(llmlab_config_set(NULL, "url", "x"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_config_set(config, NULL, "x"), LLMLAB_EINVAL);
    assert_null(llmlab_config_get(NULL, "url"));
    assert_null(llmlab_config_get(config, NULL));
    assert_null(llmlab_config_get(config, "url"));
    assert_null(llmlab_config_get(config, "nothing"));
    llmlab_config_destroy(NULL);
    llmlab_config_set_log(NULL, NULL, NULL);
    llmlab_config_set_transport(NULL, NULL);
    llmlab_config_set_transport(config, NULL);

    assert_int_equal(llmlab_config_set_n(config, "serviceX", 7, "apiX", 3),
                     LLMLAB_OK);
    assert_string_equal(llmlab_config_get(config, "service"), "api");
    assert_int_equal(llmlab_config_set_n(config, "service", 7, "a\0b", 3),
                     LLMLAB_ECONFIG);
    assert_int_equal(llmlab_config_set(config, "service", NULL), LLMLAB_OK);
    assert_null(llmlab_config_get(config, "service"));
    llmlab_config_destroy(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_values_are_checked),
        cmocka_unit_test(test_unknown_names_are_helped),
        cmocka_unit_test(test_secrets_stay_secret),
        cmocka_unit_test(test_a_key_in_the_wrong_place_is_not_repeated),
        cmocka_unit_test(test_no_value_does_harm),
        cmocka_unit_test(test_environment_fills_what_is_unset),
        cmocka_unit_test(test_typed_reads),
        cmocka_unit_test(test_null_and_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
