#include "client/setting_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/api_key.h"
#include "base/json_scan.h"
#include "base/status.h"

enum { NAME_MAX_SIZE = 40, VALUE_MAX_SIZE = 1 << 20 };

/* In a place where it would be logged, or sent for all to see. */
static bool
holds_key(const char *text, size_t size)
{
    return memmem(text, size, LLMLAB__API_KEY_PREFIX,
                  sizeof(LLMLAB__API_KEY_PREFIX) - 1) != NULL;
}

bool
llmlab__setting_read_bool(const char *text, bool *out)
{
    static const char *const words[2][4] = {{"0", "false", "no", "off"},
                                            {"1", "true", "yes", "on"}};

    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 4; i++) {
            if (strcasecmp(text, words[value][i]) == 0) {
                *out = value != 0;
                return true;
            }
        }
    }
    return false;
}

int
llmlab__setting_choice(const llmlab_setting_t *setting, const char *value,
                       size_t size)
{
    const char *at = setting->choices;

    for (int i = 0; *at != '\0'; i++) {
        size_t length = strcspn(at, "|");

        if (length == size && memcmp(at, value, size) == 0) {
            return i;
        }
        at += length + (at[length] == '|');
    }
    return -1;
}

/* The number of single-character edits between two short names. */
static unsigned
distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned row[NAME_MAX_SIZE + 1];

    for (unsigned j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
        }
    }
    return row[b_size];
}

void
llmlab__setting_suggest(const char *name, size_t size)
{
    const char *nearest = NULL;
    unsigned least = 4; /* more edits than that are another word */
    int shown = size > NAME_MAX_SIZE ? NAME_MAX_SIZE : (int)size;
    const llmlab_setting_t *setting;

    if (size <= NAME_MAX_SIZE) {
        for (size_t i = 0; (setting = llmlab_setting_at(i)) != NULL; i++) {
            unsigned edits =
                distance(name, size, setting->name, strlen(setting->name));

            if (edits < least && edits < size) {
                least = edits;
                nearest = setting->name;
            }
        }
    }
    if (holds_key(name, size)) {
        llmlab__fail(LLMLAB_ECONFIG, "unknown setting: the name holds a key");
    } else if (nearest != NULL) {
        llmlab__fail(LLMLAB_ECONFIG,
                     "unknown setting \"%.*s\": did you mean \"%s\"?", shown,
                     name, nearest);
    } else {
        llmlab__fail(LLMLAB_ECONFIG, "unknown setting \"%.*s\"", shown, name);
    }
}

static llmlab_status_t
check_int(const llmlab_setting_t *setting, const char *label, const char *value)
{
    char *end;
    long long number;
    long long low;
    long long high;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || value[0] == ' ' || value[0] == '+') {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: \"%.40s\" is not an integer",
                            label, value);
    }
    low = strtoll(setting->choices, &end, 10);
    high = strtoll(end + 2, NULL, 10);
    if (errno == ERANGE || number > high) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: %.40s is outside %s", label,
                            value, setting->choices);
    }
    if (number < low) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: %lld is below %lld", label,
                            number, low);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_double(const llmlab_setting_t *setting, const char *label,
             const char *value, size_t size)
{
    llmlab__json_t json;
    llmlab__json_text_t number;
    double x;

    /* A JSON number: the program's locale has no say in it. */
    llmlab__json_init(&json, value, size);
    if (!llmlab__json_number(&json, &number) || !llmlab__json_at_end(&json)) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: \"%.40s\" is not a number",
                            label, value);
    }
    x = llmlab__json_double(&number);
    if (!(x >= 0 && x <= 1)) { /* the only bounds that the table has */
        return llmlab__fail(LLMLAB_ECONFIG, "%s: %.40s is outside %s", label,
                            value, setting->choices);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_url(const char *label, const char *value)
{
    const char *wrong = NULL;
    char *part = NULL;
    CURLU *url = curl_url();

    if (url == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "%s: out of memory", label);
    }
    if (curl_url_set(url, CURLUPART_URL, value, CURLU_NON_SUPPORT_SCHEME) !=
        CURLUE_OK) {
        wrong = "is not a URL";
    } else if (curl_url_get(url, CURLUPART_SCHEME, &part, 0) != CURLUE_OK ||
               (strcmp(part, "http") != 0 && strcmp(part, "https") != 0)) {
        wrong = "begins neither with http:// nor https://";
    }
    curl_free(part);
    part = NULL;
    if (wrong == NULL &&
        (curl_url_get(url, CURLUPART_USER, &part, 0) == CURLUE_OK ||
         curl_url_get(url, CURLUPART_QUERY, &part, 0) == CURLUE_OK ||
         curl_url_get(url, CURLUPART_FRAGMENT, &part, 0) == CURLUE_OK)) {
        wrong = "must not hold a user name, query or fragment";
    }
    curl_free(part);
    curl_url_cleanup(url);
    /* The value is not repeated: it may hold a password. */
    return wrong == NULL ? LLMLAB_OK
                         : llmlab__fail(LLMLAB_ECONFIG, "%s: %s", label, wrong);
}

/* libcurl takes a host alone, too. The value is not repeated, as above. */
static llmlab_status_t
check_proxy(const char *label, const char *value)
{
    static const char *const schemes[] = {"http",    "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool ok = false;

    if (url == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "%s: out of memory", label);
    }
    if (curl_url_set(url, CURLUPART_URL, value,
                     CURLU_NON_SUPPORT_SCHEME | CURLU_DEFAULT_SCHEME) ==
            CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK) {
        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
            ok = ok || strcmp(scheme, schemes[i]) == 0;
        }
    }
    curl_free(scheme);
    curl_url_cleanup(url);
    return ok ? LLMLAB_OK
              : llmlab__fail(LLMLAB_ECONFIG, "%s: is not a proxy's address",
                             label);
}

static llmlab_status_t
check_project(const char *label, const char *value, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (size == 0 || size > 64 || strspn(value, allowed) != size) {
        return llmlab__fail(LLMLAB_ECONFIG,
                            "%s: \"%.70s\" is not 1 to 64 letters, digits, "
                            "dots, dashes and underscores",
                            label, value);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_spool(const char *label, const char *value)
{
    if (strcmp(value, "auto") != 0 && strcmp(value, "off") != 0 &&
        value[0] != '/') {
        return llmlab__fail(LLMLAB_ECONFIG,
                            "%s: \"%.70s\" is neither auto, off nor a path "
                            "from /",
                            label, value);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_text(const llmlab_setting_t *setting, const char *label,
           const char *value, size_t size)
{
    if (strcmp(setting->name, "api_key") == 0 && size != 0 &&
        !llmlab__api_key_check(value, size)) {
        return llmlab__fail(LLMLAB_ECONFIG,
                            "%s: not a whole key (llmlab_sk_ and 36 letters "
                            "and digits, the last 6 a checksum)",
                            label);
    }
    if (strcmp(setting->name, "url") == 0 ||
        (strcmp(setting->name, "prices.url") == 0 && size != 0)) {
        return check_url(label, value);
    }
    if (strcmp(setting->name, "prices.public_key") == 0 && size != 0 &&
        (size != 64 || strspn(value, "0123456789abcdefABCDEF") != 64)) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: not 64 hex digits", label);
    }
    if (strcmp(setting->name, "proxy") == 0 && size != 0) {
        return check_proxy(label, value);
    }
    if (strcmp(setting->name, "spool.mode") == 0) {
        return check_spool(label, value);
    }
    if (strcmp(setting->name, "spool.ring_dir") == 0 && size != 0 &&
        value[0] != '/') {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: \"%.70s\" is no path from /",
                            label, value);
    }
    if (strcmp(setting->name, "project") == 0) {
        return check_project(label, value, size);
    }
    return LLMLAB_OK;
}

/* value has a NUL at size. */
static llmlab_status_t
check_type(const llmlab_setting_t *setting, const char *label,
           const char *value, size_t size)
{
    bool truth;

    switch (setting->type[0]) {
    case 'i':
        return check_int(setting, label, value);
    case 'd':
        return check_double(setting, label, value, size);
    case 'b':
        if (!llmlab__setting_read_bool(value, &truth)) {
            return llmlab__fail(LLMLAB_ECONFIG,
                                "%s: \"%.40s\" is neither true nor false",
                                label, value);
        }
        return LLMLAB_OK;
    case 'e':
        if (llmlab__setting_choice(setting, value, size) < 0) {
            return llmlab__fail(LLMLAB_ECONFIG, "%s: \"%.40s\" is none of %s",
                                label, value, setting->choices);
        }
        return LLMLAB_OK;
    default:
        return check_text(setting, label, value, size);
    }
}

static bool
has_control(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

llmlab_status_t
llmlab__setting_check(const llmlab_setting_t *setting, const char *label,
                      const char *value, size_t size)
{
    if (size > VALUE_MAX_SIZE) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: longer than %d bytes", label,
                            VALUE_MAX_SIZE);
    }
    if (memchr(value, '\0', size) != NULL ||
        (has_control(value, size) &&
         strcmp(setting->name, "tls.ca_pem") != 0)) {
        return llmlab__fail(LLMLAB_ECONFIG, "%s: holds a control character",
                            label);
    }
    if (strcmp(setting->type, "secret") != 0 && holds_key(value, size)) {
        return llmlab__fail(LLMLAB_ECONFIG,
                            "%s: holds a key: that is api_key's", label);
    }
    return check_type(setting, label, value, size);
}
