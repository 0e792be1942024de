/* What recording costs besides time: after warm-up no allocation and no system
 * call. Allocations are counted at the C library's entry, system calls by a
 * seccomp filter that traps every one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

#include "support/recording.h"
#include "support/sanitizer.h"

#define REPLY                                                         \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","          \
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0," \
    "\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},"        \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1200," \
    "\"completion_tokens\":80,\"total_tokens\":1280}}"

static _Atomic uint64_t allocations;

#if !WITH_SANITIZER
/* glibc's own names for what we stand in front of. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *
malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}
#endif

static recording_t *recording;
static llmlab_client_t *client;

static int
set_up(void **state)
{
    (void)state;
    recording = recording_open();
    recording->max_bytes = 4 << 20;
    client = recording_client(recording);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    recording_close(recording);
    return 0;
}

static void
span_with_attributes(void)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "chat gpt-4o-mini", LLMLAB_SPAN_LLM);

    llmlab_span_set_string(span, "gen_ai.system", "openai");
    llmlab_span_set_string(span, "gen_ai.request.model", "gpt-4o-mini");
    llmlab_span_set_string(span, "gen_ai.response.id", "chatcmpl-1234567890");
    llmlab_span_set_string(span, "gen_ai.operation.name", "chat");
    llmlab_span_set_string(span, "gen_ai.finish_reason", "stop");
    llmlab_span_set_int(span, "gen_ai.usage.input_tokens", 1200);
    llmlab_span_set_int(span, "gen_ai.usage.output_tokens", 80);
    llmlab_span_set_double(span, "gen_ai.request.temperature", 0.7);
    llmlab_span_end(span);
}

static void
span_with_response(void)
{
    LLMLAB_TRACE(client, "answer_question");
    LLMLAB_SPAN("answer", LLMLAB_SPAN_LLM);
    llmlab_span_set_response(llmlab_span_current(), "openai",
                             "chat_completions", REPLY, sizeof(REPLY) - 1);
}

static void
one_shot(void)
{
    llmlab_usage_t usage;
    llmlab_call_t call;

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1200);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    llmlab_call_init(&call);
    call.provider = LLMLAB_TEXT("openai");
    call.model = LLMLAB_TEXT("gpt-4o-mini-2024-07-18");
    call.usage = &usage;
    llmlab_record_call(client, &call);
}

/* More attributes than a span has place for. */
static void
large_span(void)
{
    static char text[6000];
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "large", LLMLAB_SPAN_TOOL);

    memset(text, 'x', sizeof(text));
    llmlab_span_set_string_n(span, "text", 4, text, sizeof(text));
    llmlab_span_end(span);
}

static const struct {
    const char *name;
    void (*run)(void);
} paths[] = {
    {"start, 8 attributes, end", span_with_attributes},
    {"trace, start, set_response, price, end", span_with_response},
    {"record_call", one_shot},
    {"start, 6 KB, end", large_span},
};

#define PATHS (sizeof(paths) / sizeof(paths[0]))

static void
warm_up(void)
{
    for (int i = 0; i < 50; i++) {
        for (size_t path = 0; path < PATHS; path++) {
            paths[path].run();
        }
        recording_drain(recording);
        recording->at = recording->taken.size;
    }
}

static void
test_nothing_is_allocated_after_warm_up(void **state)
{
#if WITH_SANITIZER
    print_message("SKIP allocations: the sanitizer has the allocator\n");
    skip();
#endif
    (void)state;
    warm_up();
    for (size_t path = 0; path < PATHS; path++) {
        uint64_t before = atomic_load(&allocations);

        for (int i = 0; i < 40; i++) {
            paths[path].run();
        }
        print_message("%s: %d allocations in 40\n", paths[path].name,
                      (int)(atomic_load(&allocations) - before));
        assert_int_equal(atomic_load(&allocations), before);
        recording_drain(recording);
        recording->at = recording->taken.size;
    }
    free(malloc(1)); /* the counter counts */
    assert_true(atomic_load(&allocations) > 0);
}

static volatile sig_atomic_t calls;

static void
count_call(int signal)
{
    (void)signal;
    calls++;
}

/* Every system call raises SIGSYS, but those by which a handler returns and a
 * process ends. */
static int
trap_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    struct sigaction action = {.sa_handler = count_call};

    return sigaction(SIGSYS, &action, NULL) != 0 ||
                   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0
               ? -1
               : 0;
}

/* How many system calls a path makes in 40 rounds; 255: cannot be counted. */
static int
system_calls_of(void (*run)(void), int probe)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        warm_up();
        if (trap_system_calls() != 0) {
            _exit(255);
        }
        if (probe) {
            syscall(SYS_getppid);
        }
        for (int i = 0; i < 40; i++) {
            run();
        }
        _exit(calls < 254 ? (int)calls : 254);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void
test_no_system_call_after_warm_up(void **state)
{
    (void)state;
#if WITH_SANITIZER
    print_message("SKIP system calls: the sanitizer makes its own\n");
    skip();
#endif
    if (system_calls_of(span_with_attributes, 1) != 1) {
        print_message("SKIP system calls: no seccomp filter here\n");
        skip();
    }
    for (size_t path = 0; path < PATHS; path++) {
        int count = system_calls_of(paths[path].run, 0);

        print_message("%s: %d system calls in 40\n", paths[path].name, count);
        assert_int_equal(count, 0);
    }
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_nothing_is_allocated_after_warm_up),
        UNIT(test_no_system_call_after_warm_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
