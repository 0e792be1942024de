#include "cli/manage.h"

#include <stdio.h>
#include <string.h>

#include "base/json_dom.h"
#include "cli/command.h"
#include "cli/costs.h"
#include "cli/put.h"

static int
operand_count(const char *operands)
{
    int count = *operands != '\0';

    for (; *operands != '\0'; operands++) {
        count += *operands == ' ';
    }
    return count;
}

static const cli_verb_t *
find_verb(const char *command, const cli_verb_t *verbs, const char *name)
{
    const cli_verb_t *nearest = NULL;
    unsigned best = 3;

    for (const cli_verb_t *verb = verbs; verb->name != NULL; verb++) {
        unsigned distance = cli_distance(name, verb->name);

        if (distance == 0) {
            return verb;
        }
        if (distance < best) {
            best = distance;
            nearest = verb;
        }
    }
    fprintf(stderr, "llmlab: %s: what is \"%s\"?", command, name);
    if (nearest != NULL) {
        fprintf(stderr, " Did you mean \"%s\"?", nearest->name);
    }
    fprintf(stderr, " See llmlab %s --help\n", command);
    return NULL;
}

int
cli_manage_run(const cli_args_t *args, const char *command,
               const cli_verb_t *verbs)
{
    const cli_verb_t *verb = verbs;
    cli_manage_t manage = {.args = args};
    bool good;

    if (args->count > 0) {
        verb = find_verb(command, verbs, args->operands[0]);
    }
    if (verb == NULL) {
        return CLI_MISUSED;
    }
    if (args->count > 0 && args->count - 1 != operand_count(verb->operands)) {
        fprintf(stderr, "llmlab: usage: llmlab %s %s%s%s\n", command,
                verb->name, *verb->operands == '\0' ? "" : " ", verb->operands);
        return CLI_MISUSED;
    }
    llmlab__buf_init(&manage.body);
    llmlab__json_out_init(&manage.out, &manage.body);
    llmlab__json_begin_object(&manage.out);
    cli_server_init(&manage.server, args);
    good =
        cli_remote_open(&manage.remote, &manage.server) && verb->run(&manage);
    cli_remote_close(&manage.remote);
    llmlab__buf_cleanup(&manage.body);
    return good ? CLI_OK : CLI_FAILED;
}

const char *
cli_manage_operand(const cli_manage_t *manage, int number)
{
    return manage->args->operands[number + 1];
}

void
cli_manage_text(cli_manage_t *manage, const char *name, const char *value)
{
    if (value != NULL) {
        llmlab__json_key_n(&manage->out, name, strlen(name));
        llmlab__json_put_text(&manage->out, value);
    }
}

bool
cli_manage_send(cli_manage_t *manage, const char *method,
                bool (*print)(const cJSON *reply))
{
    cli_remote_t *remote = &manage->remote;
    cJSON *reply = NULL;
    bool good;

    llmlab__json_end_object(&manage->out);
    if (manage->body.failed) {
        fputs("llmlab: out of memory\n", stderr);
        return false;
    }
    if (!cli_remote_send(remote, method, &manage->body)) {
        return false;
    }
    if (cli_args_flag(manage->args, "json")) {
        return cli_put_line(&remote->body);
    }
    if (llmlab__json_dom_parse(&reply, (const char *)remote->body.data,
                               remote->body.size, 32) != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s answers no JSON: is it an llmlab-server?\n",
                remote->base);
        return false;
    }
    good = print(reply);
    cJSON_Delete(reply);
    return good;
}

bool
cli_manage_get(cli_manage_t *manage)
{
    return cli_remote_get(&manage->remote) &&
           cli_put_line(&manage->remote.body);
}

bool
cli_manage_end(cli_manage_t *manage, const char *method, const char *done)
{
    if (!cli_remote_send(&manage->remote, method, NULL)) {
        return false;
    }
    if (cli_args_flag(manage->args, "json")) {
        fputs("{}\n", stdout);
    } else {
        printf("%s\n", done);
    }
    return true;
}

/* A row of the members, in their order. */
static void
add_row(cli_table_t *table, const cJSON *row, const char *members)
{
    while (*members != '\0') {
        size_t size = strcspn(members, "|");
        char name[64];
        const char *text;

        snprintf(name, sizeof(name), "%.*s", (int)size, members);
        text = cli_member_text(row, name);
        if (size > 3 && strcmp(name + size - 3, "_at") == 0) {
            cli_table_time(table, text);
        } else {
            cli_table_text(table, text);
        }
        members += size + (members[size] == '|');
    }
}

/* The next page's address: this one's, and where it ended. */
static bool
page_next(cli_remote_t *remote, const cJSON *page, size_t url_size)
{
    const char *cursor = cli_member_text(page, "next_cursor");

    remote->url.size = url_size;
    remote->has_query = true;
    cli_remote_param(remote, "cursor", cursor);
    return cursor != NULL;
}

bool
cli_manage_list(cli_manage_t *manage, const char *headers, const char *members)
{
    cli_remote_t *remote = &manage->remote;
    bool json = cli_args_flag(manage->args, "json");
    cli_table_t table;
    size_t url_size;
    bool more = true;
    bool good = true;

    cli_remote_param(remote, "limit", "1000");
    url_size = remote->url.size;
    cli_table_init(&table, headers);
    while (good && more) {
        cJSON *page = NULL;
        const cJSON *row;

        good = cli_remote_get_json(remote, &page);
        cJSON_ArrayForEach(row, llmlab__json_dom_get(page, "data"))
        {
            if (json) {
                char *text = cJSON_PrintUnformatted(row);

                good = text != NULL && puts(text) >= 0 && good;
                cJSON_free(text);
            } else {
                add_row(&table, row, members);
            }
        }
        more = good && page_next(remote, page, url_size);
        cJSON_Delete(page);
    }
    if (good && !json) {
        good = cli_table_print(&table, stdout);
    }
    cli_table_cleanup(&table);
    return good;
}
