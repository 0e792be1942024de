#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/names.h"
#include "store/admin.h"

static void
project_members(llmlab__json_out_t *out, const llmlab__project_t *project)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_text(out, project->uuid);
    llmlab__json_key(out, "slug");
    llmlab__json_put_text(out, project->slug);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, project->name);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, project->created_ns);
    llmlab__json_key(out, "archived_at");
    llmlab__write_time_or_null(out, project->archived_ns);
}

static void
project_reply(llmlab__request_t *request, const llmlab__project_t *project)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    project_members(&out, project);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, project->version);
}

static bool
on_project(void *payload, const llmlab__project_t *project)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, project->id)) {
        return false;
    }
    project_members(&page->out, project);
    llmlab__json_end_object(&page->out);
    return true;
}

/* All for an admin of the server, else those that who asks may see. */
void
llmlab__api_projects_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__project_t own;
    llmlab_status_t status = LLMLAB_OK;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "projects", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (request->caller.server_admin || request->caller.account != 0) {
        status = ops->projects(
            request->reader,
            request->caller.server_admin ? 0 : request->caller.account,
            page.after, page.limit + 1, on_project, &page);
    } else if (!page.has_after) {
        status = request->server->store->ops->project_get(
            request->reader, request->key.project, &own);
        if (status == LLMLAB_OK) {
            (void)on_project(&page, &own);
        }
    }
    if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list projects");
        return;
    }
    llmlab__page_end(request, &page);
}

void
llmlab__api_project_get(llmlab__request_t *request)
{
    project_reply(request, &request->project);
}

static bool
slug_bad(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", "slug",
                                "slug: " LLMLAB__SLUG_RULE);
}

static bool
slug_taken(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 409, "slug-taken",
                                "Another project has this slug", "slug",
                                "take another one");
}

static bool
project_audit(llmlab__request_t *request, const char *action,
              const llmlab__project_t *project)
{
    llmlab__json_out_t out;
    llmlab__buf_t detail;
    bool good;

    llmlab__buf_init(&detail);
    llmlab__json_out_init(&out, &detail);
    llmlab__json_key(&out, "slug");
    llmlab__json_put_text(&out, project->slug);
    llmlab__json_key(&out, "name");
    llmlab__json_put_text(&out, project->name);
    llmlab__json_key(&out, "archived");
    llmlab__json_put_bool(&out, project->archived_ns != 0);
    good = llmlab__change_audit(request, action, project->uuid, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

void
llmlab__api_project_create(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__project_t project = {.id = 0};
    const char *slug = NULL;
    const char *name = NULL;
    const llmlab__field_t fields[] = {
        {.name = "slug",
         .required = true,
         .low = 1,
         .high = LLMLAB__SLUG_SIZE,
         .out = &slug},
        {.name = "name", .high = LLMLAB__NAME_SIZE, .out = &name}};
    llmlab_status_t status;

    if (!llmlab__request_fields(request, fields, 2) ||
        !(llmlab__slug_check(slug) || slug_bad(request))) {
        return;
    }
    (void)snprintf(project.slug, sizeof(project.slug), "%s", slug);
    (void)snprintf(project.name, sizeof(project.name), "%s",
                   name != NULL && *name != '\0' ? name : slug);
    status = ops->project_add(request->changer, &project);
    if (status != LLMLAB_OK) {
        (void)(status == LLMLAB_EINVAL
                   ? slug_taken(request)
                   : llmlab__reply_failure(request, "cannot make a project"));
        return;
    }
    request->project = project;
    project_reply(request, &project);
    request->reply.status = 201;
    llmlab__reply_header(request, "Location", "/v1/projects/%s", project.uuid);
    (void)project_audit(request, "project.create", &project);
}

void
llmlab__api_project_patch(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__project_t project;
    const char *slug = NULL;
    const char *name = NULL;
    bool archived = request->project.archived_ns != 0;
    const llmlab__field_t fields[] = {
        {.name = "slug", .low = 1, .high = LLMLAB__SLUG_SIZE, .out = &slug},
        {.name = "name", .low = 1, .high = LLMLAB__NAME_SIZE, .out = &name},
        {.name = "archived", .type = LLMLAB__FIELD_BOOL, .out = &archived}};
    llmlab_status_t status = request->server->store->ops->project_get(
        request->reader, request->project.id, &project);

    /* What was read before this change began may be old. */
    if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read a project");
        return;
    }
    if (!llmlab__request_if_match(request, project.version) ||
        !llmlab__request_fields(request, fields, 3) ||
        !(slug == NULL || llmlab__slug_check(slug) || slug_bad(request))) {
        return;
    }
    if (slug != NULL) {
        (void)snprintf(project.slug, sizeof(project.slug), "%s", slug);
    }
    if (name != NULL) {
        (void)snprintf(project.name, sizeof(project.name), "%s", name);
    }
    project.archived_ns = !archived                  ? 0
                          : project.archived_ns != 0 ? project.archived_ns
                                                     : llmlab__clock_real_ns();
    status = ops->project_update(request->changer, &project);
    if (status != LLMLAB_OK) {
        (void)(status == LLMLAB_EINVAL
                   ? slug_taken(request)
                   : llmlab__reply_failure(request, "cannot change a project"));
        return;
    }
    project.version++;
    project_reply(request, &project);
    (void)project_audit(request, "project.update", &project);
}

/* Everything it holds goes with it, so that it is to be archived before. */
void
llmlab__api_project_delete(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__project_t project = request->project;

    if (request->project.archived_ns == 0) {
        llmlab__reply_refuse(request, 409, "not-archived",
                             "The project is not archived", NULL,
                             "archive it first (PATCH {\"archived\":true}): "
                             "all that it holds is deleted with it");
        return;
    }
    if (ops->project_remove(request->changer, project.id) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot delete a project");
        return;
    }
    llmlab__reply_nothing(request);
    atomic_store(&request->server->purge_wanted, true);
    request->project.id = 0; /* its own log cannot be asked any more */
    (void)project_audit(request, "project.delete", &project);
}
