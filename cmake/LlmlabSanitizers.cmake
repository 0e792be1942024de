# LLMLAB_SANITIZE, LLMLAB_FUZZ and LLMLAB_COVERAGE apply to every target.
if(LLMLAB_SANITIZE)
  add_compile_options(-fsanitize=${LLMLAB_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LLMLAB_SANITIZE})
endif()
if(LLMLAB_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(LLMLAB_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
