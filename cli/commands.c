/* The command table: a new command is declared and listed here. */
#include "cli/command.h"

#include <stddef.h>

extern const cli_command_t cli_command_calls;
extern const cli_command_t cli_command_cost;
extern const cli_command_t cli_command_costs;
extern const cli_command_t cli_command_demo;
extern const cli_command_t cli_command_doctor;
extern const cli_command_t cli_command_export;
extern const cli_command_t cli_command_jobs;
extern const cli_command_t cli_command_keys;
extern const cli_command_t cli_command_login;
extern const cli_command_t cli_command_logout;
extern const cli_command_t cli_command_members;
extern const cli_command_t cli_command_pricing;
extern const cli_command_t cli_command_projects;
extern const cli_command_t cli_command_replay;
extern const cli_command_t cli_command_resolve;
extern const cli_command_t cli_command_scores;
extern const cli_command_t cli_command_spool;
extern const cli_command_t cli_command_sessions;
extern const cli_command_t cli_command_trace;
extern const cli_command_t cli_command_traces;
extern const cli_command_t cli_command_usage;
extern const cli_command_t cli_command_users;
extern const cli_command_t cli_command_version;

const cli_command_t *const cli_commands[] = {
    &cli_command_cost,   &cli_command_resolve,  &cli_command_pricing,
    &cli_command_usage,  &cli_command_replay,   &cli_command_costs,
    &cli_command_traces, &cli_command_trace,    &cli_command_scores,
    &cli_command_calls,  &cli_command_sessions, &cli_command_users,
    &cli_command_login,  &cli_command_logout,   &cli_command_projects,
    &cli_command_keys,   &cli_command_members,  &cli_command_export,
    &cli_command_jobs,   &cli_command_spool,    &cli_command_doctor,
    &cli_command_demo,   &cli_command_version,  NULL,
};
