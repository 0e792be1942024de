#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "llmlab-server: takes the calls that libllmlab records, answers what they\n"
    "cost.\n"
    "\n"
    "  llmlab-server [options]                   serve until SIGTERM or "
    "Ctrl-C\n"
    "  llmlab-server key create --project NAME   make a key and print it, "
    "once\n"
    "  llmlab-server key list\n"
    "  llmlab-server key revoke ID\n"
    "  llmlab-server backup FILE                 copy the database, also while "
    "a\n"
    "                                            server runs\n"
    "  llmlab-server restore FILE                put a backup in its place\n"
    "  llmlab-server compact                     give back what deleted calls "
    "took\n"
    "  llmlab-server check                       compare all sums with the "
    "calls;\n"
    "                                            3: they differ\n"
    "  llmlab-server secrets rekey               take a new master key; no\n"
    "                                            server may run\n"
    "  llmlab-server version\n"
    "\n"
    "Where the data is (all commands):\n"
    "  --data DIR              the folder; made if missing (default: "
    "./llmlab-data)\n"
    "  --db FILE               the SQLite file itself, instead of "
    "DIR/llmlab.db\n"
    "  --master-key FILE       seals secrets in it; made if missing (default:\n"
    "                          DIR/llmlab.db-master-key)\n"
    "\n"
    "Serving:\n"
    "  --listen HOST:PORT      default 127.0.0.1:7400; port 0 takes a free "
    "one\n"
    "  --port-file FILE        write the port there once it listens\n"
    "  --metrics-listen H:P    serve Prometheus metrics there; default: "
    "nowhere\n"
    "  --behind-proxy          allow an address that others can reach without\n"
    "                          TLS: a proxy ends TLS and limits requests\n"
    "  --trusted-proxy NET     an address or network, as 10.0.0.0/8, whose\n"
    "                          X-Forwarded-For is believed; may be repeated\n"
    "  --cors-origin ORIGIN    https://HOST of pages that may ask; may be\n"
    "                          repeated (default: none)\n"
    "  --tls-cert FILE         PEM; with --tls-key: serve HTTPS\n"
    "  --tls-key FILE\n"
    "  --drain-delay S         when it is told to stop: first be not ready "
    "for\n"
    "                          S seconds, and go on serving (default: 0)\n"
    "  --drain-seconds S       then take no connections, and let idle ones\n"
    "                          bring a last request for S seconds (default: "
    "1)\n"
    "  --threads N             of the HTTP side (default: one a core, 2 to 8)\n"
    "  --log-level LEVEL       debug, info, warning, error (default: info)\n"
    "\n"
    "Limits:\n"
    "  --key-limit N           requests of a key a minute (default: 6000000)\n"
    "  --account-limit N       requests of an account a minute (default: "
    "6000)\n"
    "  --retention-days N      how long calls stay, and how far back one may\n"
    "                          have begun to be taken (default: 90); sums "
    "stay\n"
    "                          for ever\n"
    "  --max-body BYTES        of a request as sent (default: 5 MiB)\n"
    "  --max-inflated BYTES    of its JSON (default: 20 MiB)\n"
    "  --max-items N           records in a batch (default: 10000)\n"
    "  --max-depth N           levels of JSON, at most 128 (default: 32)\n"
    "\n"
    "backup, restore, compact, check:\n"
    "  --json                  say what was done as a JSON object\n"
    "  --hours N               check: only the last N hours\n"
    "\n"
    "key create:\n"
    "  --project NAME          its project; made if missing\n"
    "  --scope SCOPE           ingest (default), read, admin\n"
    "  --name NAME             what the key is for\n";

enum {
    OPTION_DATA = 256,
    OPTION_DB,
    OPTION_LISTEN,
    OPTION_PORT_FILE,
    OPTION_METRICS,
    OPTION_PROXY,
    OPTION_MASTER,
    OPTION_TRUSTED,
    OPTION_ORIGIN,
    OPTION_KEY_LIMIT,
    OPTION_ACCOUNT_LIMIT,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_THREADS,
    OPTION_LEVEL,
    OPTION_RETENTION,
    OPTION_BODY,
    OPTION_INFLATED,
    OPTION_ITEMS,
    OPTION_DEPTH,
    OPTION_PROJECT,
    OPTION_SCOPE,
    OPTION_NAME,
    OPTION_DRAIN_DELAY,
    OPTION_DRAIN,
    OPTION_JSON,
    OPTION_HOURS
};

static const struct option table[] = {
    {"data", required_argument, NULL, OPTION_DATA},
    {"db", required_argument, NULL, OPTION_DB},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"port-file", required_argument, NULL, OPTION_PORT_FILE},
    {"metrics-listen", required_argument, NULL, OPTION_METRICS},
    {"behind-proxy", no_argument, NULL, OPTION_PROXY},
    {"master-key", required_argument, NULL, OPTION_MASTER},
    {"trusted-proxy", required_argument, NULL, OPTION_TRUSTED},
    {"cors-origin", required_argument, NULL, OPTION_ORIGIN},
    {"key-limit", required_argument, NULL, OPTION_KEY_LIMIT},
    {"account-limit", required_argument, NULL, OPTION_ACCOUNT_LIMIT},
    {"tls-cert", required_argument, NULL, OPTION_CERT},
    {"tls-key", required_argument, NULL, OPTION_KEY},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"log-level", required_argument, NULL, OPTION_LEVEL},
    {"retention-days", required_argument, NULL, OPTION_RETENTION},
    {"max-body", required_argument, NULL, OPTION_BODY},
    {"max-inflated", required_argument, NULL, OPTION_INFLATED},
    {"max-items", required_argument, NULL, OPTION_ITEMS},
    {"max-depth", required_argument, NULL, OPTION_DEPTH},
    {"project", required_argument, NULL, OPTION_PROJECT},
    {"scope", required_argument, NULL, OPTION_SCOPE},
    {"name", required_argument, NULL, OPTION_NAME},
    {"drain-delay", required_argument, NULL, OPTION_DRAIN_DELAY},
    {"drain-seconds", required_argument, NULL, OPTION_DRAIN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"hours", required_argument, NULL, OPTION_HOURS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static bool
number(const char *option, const char *text, unsigned long least,
       unsigned long most, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' ||
        *out < least || *out > most) {
        (void)fprintf(stderr,
                      "llmlab-server: --%s: a number from %lu to %lu is "
                      "needed, not \"%s\"\n",
                      option, least, most, text);
        return false;
    }
    return true;
}

static bool
level_read(const char *text, llmlab_log_level_t *out)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (llmlab_log_level_t)i;
            return true;
        }
    }
    (void)fprintf(stderr, "llmlab-server: --log-level: it is one of debug, "
                          "info, warning, error\n");
    return false;
}

static bool
limit_read(llmlab__options_t *out, int option, const char *text)
{
    llmlab__limits_t *limits = &out->limits;
    unsigned long value;

    switch (option) {
    case OPTION_THREADS:
        if (!number("threads", text, 1, 64, &value)) {
            return false;
        }
        out->threads = (unsigned)value;
        return true;
    case OPTION_DRAIN_DELAY:
        if (!number("drain-delay", text, 0, 300, &value)) {
            return false;
        }
        out->drain_delay = (unsigned)value;
        return true;
    case OPTION_DRAIN:
        if (!number("drain-seconds", text, 0, 300, &value)) {
            return false;
        }
        out->drain_seconds = (unsigned)value;
        return true;
    case OPTION_HOURS:
        if (!number("hours", text, 1, 1000000, &value)) {
            return false;
        }
        out->hours = (unsigned)value;
        return true;
    case OPTION_KEY_LIMIT:
        return number("key-limit", text, 1, 1000000000, &out->key_limit);
    case OPTION_ACCOUNT_LIMIT:
        return number("account-limit", text, 1, 1000000000,
                      &out->account_limit);
    case OPTION_RETENTION:
        if (!number("retention-days", text, 1, 36500, &value)) {
            return false;
        }
        limits->retention_ns = (int64_t)value * 86400 * 1000000000;
        return true;
    case OPTION_BODY:
        return number("max-body", text, 1024, 1ul << 30, &limits->max_body);
    case OPTION_INFLATED:
        return number("max-inflated", text, 1024, 1ul << 30,
                      &limits->max_inflated);
    case OPTION_ITEMS:
        return number("max-items", text, 1, 1000000, &limits->max_items);
    default:
        if (!number("max-depth", text, 8, 128, &value)) {
            return false;
        }
        limits->max_depth = (unsigned)value;
        return true;
    }
}

static bool
proxy_read(llmlab__options_t *out, const char *text)
{
    if (out->proxy_count == LLMLAB__PROXIES_MAX ||
        !llmlab__network_parse(text, &out->proxies[out->proxy_count])) {
        (void)fprintf(stderr,
                      "llmlab-server: --trusted-proxy: an address or network, "
                      "as 10.0.0.0/8, is needed, %d at most\n",
                      LLMLAB__PROXIES_MAX);
        return false;
    }
    out->proxy_count++;
    return true;
}

/* As browsers write it: scheme and host, no path. */
static bool
origin_read(llmlab__options_t *out, const char *text)
{
    const char *name = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";

    if (*name == '\0' || strpbrk(name, "/ *,;") != NULL ||
        out->origin_count == LLMLAB__ORIGINS_MAX) {
        (void)fprintf(stderr,
                      "llmlab-server: --cors-origin: https://HOST[:PORT] is "
                      "needed, %d at most\n",
                      LLMLAB__ORIGINS_MAX);
        return false;
    }
    out->origins[out->origin_count++] = text;
    return true;
}

static bool
master_key_read(llmlab__options_t *out, const char *text)
{
    return snprintf(out->master_key, sizeof(out->master_key), "%s", text) <
           LLMLAB__PATH_TEXT;
}

static bool
option_read(llmlab__options_t *out, int option, const char *text,
            const char **data, const char **db)
{
    switch (option) {
    case OPTION_DATA:
        *data = text;
        return true;
    case OPTION_DB:
        *db = text;
        return true;
    case OPTION_LISTEN:
        out->listen = text;
        return true;
    case OPTION_PORT_FILE:
        out->port_file = text;
        return true;
    case OPTION_METRICS:
        out->metrics_listen = text;
        return true;
    case OPTION_PROXY:
        out->behind_proxy = true;
        return true;
    case OPTION_MASTER:
        return master_key_read(out, text);
    case OPTION_TRUSTED:
        return proxy_read(out, text);
    case OPTION_ORIGIN:
        return origin_read(out, text);
    case OPTION_CERT:
        out->tls_cert = text;
        return true;
    case OPTION_KEY:
        out->tls_key = text;
        return true;
    case OPTION_LEVEL:
        return level_read(text, &out->log_level);
    case OPTION_JSON:
        out->json = true;
        return true;
    case OPTION_PROJECT:
        out->project = text;
        return true;
    case OPTION_SCOPE:
        out->scope = text;
        return true;
    case OPTION_NAME:
        out->name = text;
        return true;
    default:
        return limit_read(out, option, text);
    }
}

static bool
db_path(llmlab__options_t *out, const char *data, const char *db)
{
    int size = db != NULL
                   ? snprintf(out->db, sizeof(out->db), "%s", db)
                   : snprintf(out->db, sizeof(out->db), "%s/llmlab.db", data);

    if (size < 0 || (size_t)size >= sizeof(out->db)) {
        (void)fprintf(stderr, "llmlab-server: the path is too long\n");
        return false;
    }
    if (out->master_key[0] == '\0') {
        (void)snprintf(out->master_key, sizeof(out->master_key),
                       "%s-master-key", out->db);
    }
    (void)snprintf(out->exports, sizeof(out->exports), "%s-exports", out->db);
    (void)snprintf(out->backups, sizeof(out->backups), "%s-backups", out->db);
    /* Keys' hashes and people's names are in it. */
    if (db == NULL && mkdir(data, 0700) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "llmlab-server: cannot make %s: %s\n", data,
                      strerror(errno));
        return false;
    }
    return true;
}

static void
defaults(llmlab__options_t *out)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    memset(out, 0, sizeof(*out));
    out->listen = "127.0.0.1:7400";
    out->log_level = LLMLAB_LOG_INFO;
    out->drain_seconds = 1;
    out->threads = cores < 2 ? 2 : cores > 8 ? 8 : (unsigned)cores;
    out->key_limit = 6000000;
    out->account_limit = 6000;
    out->scope = "ingest";
    out->name = "";
    llmlab__limits_init(&out->limits);
}

/* getopt takes any beginning of a name: --port would be --port-file. */
static bool
is_whole_name(char **argv, int index)
{
    const char *last = argv[optind - 1];
    const char *given = optarg == last ? argv[optind - 2] : last;

    if (strcspn(given + 2, "=") == strlen(table[index].name)) {
        return true;
    }
    (void)fprintf(stderr, "llmlab-server: unknown option %s; is it --%s?\n",
                  given, table[index].name);
    return false;
}

llmlab__parse_t
llmlab__options_parse(llmlab__options_t *out, int argc, char **argv,
                      const char *command)
{
    const char *data = "llmlab-data";
    const char *db = NULL;
    int option;
    int index = -1; /* in the table; not set by -h */

    defaults(out);
    while ((option = getopt_long(argc, argv, "h", table, &index)) != -1) {
        if (index != -1 && option != '?' && !is_whole_name(argv, index)) {
            return LLMLAB__PARSE_BAD;
        }
        index = -1;
        if (option == 'h') {
            (void)fputs(help, stdout);
            return LLMLAB__PARSE_HELP;
        }
        if (option == '?') {
            (void)fprintf(stderr, "llmlab-server: -h tells the options\n");
            return LLMLAB__PARSE_BAD;
        }
        if (!option_read(out, option, optarg, &data, &db)) {
            return LLMLAB__PARSE_BAD;
        }
    }
    if (strcmp(command, "key revoke") == 0 && optind < argc) {
        out->id = argv[optind++];
    }
    if ((strcmp(command, "backup") == 0 || strcmp(command, "restore") == 0) &&
        optind < argc) {
        out->file = argv[optind++];
    }
    if (optind < argc) {
        (void)fprintf(stderr, "llmlab-server: what is \"%s\"? -h tells\n",
                      argv[optind]);
        return LLMLAB__PARSE_BAD;
    }
    if ((out->tls_cert == NULL) != (out->tls_key == NULL)) {
        (void)fprintf(stderr, "llmlab-server: --tls-cert and --tls-key go "
                              "together\n");
        return LLMLAB__PARSE_BAD;
    }
    return db_path(out, data, db) ? LLMLAB__PARSE_OK : LLMLAB__PARSE_BAD;
}
