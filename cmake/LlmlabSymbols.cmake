# llmlab_exports(target header...): the shared library shows what its public
# headers declare with LLMLAB_API, and nothing else. The map is made anew
# whenever a header changes.
set(LLMLAB_EXPORTS_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/exports.cmake)

function(llmlab_exports target)
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  add_custom_command(OUTPUT ${map}
    COMMAND ${CMAKE_COMMAND} -DOUT=${map} "-DHEADERS=${ARGN}"
            -P ${LLMLAB_EXPORTS_SCRIPT}
    DEPENDS ${ARGN} ${LLMLAB_EXPORTS_SCRIPT}
    COMMENT "Listing the exported functions" VERBATIM)
  add_custom_target(${target}_map DEPENDS ${map})
  add_dependencies(${target} ${target}_map)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
  # nodelete: the worker's code must outlive a dlclose().
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${map} -Wl,-z,nodelete)
  # Clang's sanitizers are resolved in the program, not in the library.
  if(NOT LLMLAB_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
