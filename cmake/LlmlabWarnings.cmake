# llmlab_warnings(target): the project's warnings; errors with LLMLAB_WERROR.
function(llmlab_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Wvla
    $<$<BOOL:${LLMLAB_WERROR}>:-Werror>)
endfunction()
