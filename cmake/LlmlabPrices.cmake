# llmlab_price_table(VAR): the generated source of the built-in price table.
# The table compiler runs on the machine that builds, so when cross-compiling
# it is built by that machine's own compiler, with its own libcjson.
set(LLMLAB_HOST_CC "" CACHE FILEPATH
    "C compiler for programs that run during the build; empty: found")

function(llmlab_price_table out)
  set(src ${PROJECT_SOURCE_DIR}/src)
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/pricing)
  set(compiler ${dir}/price-compiler)
  set(table ${dir}/price_table.c)
  set(prices ${src}/pricing/providers.json ${src}/pricing/prices.json
             ${src}/pricing/reviewed.json ${src}/pricing/second_source.json)
  set(cc ${LLMLAB_HOST_CC})
  set(cjson -lcjson)
  if(NOT cc AND CMAKE_CROSSCOMPILING)
    find_program(LLMLAB_FOUND_HOST_CC NAMES cc gcc clang REQUIRED
                 NO_CMAKE_FIND_ROOT_PATH)
    set(cc ${LLMLAB_FOUND_HOST_CC})
  elseif(NOT cc)
    set(cc ${CMAKE_C_COMPILER})
    set(cjson ${CJSON_CFLAGS} ${CJSON_LDFLAGS})
  endif()

  file(GLOB sources CONFIGURE_DEPENDS ${src}/pricing/compile/*.c)
  foreach(name pricing/build pricing/pool pricing/names pricing/family
          pricing/price_file pricing/windows base/money base/json_dom
          base/json_scan base/json_text base/json_number base/status base/alloc
          base/buf base/clock)
    list(APPEND sources ${src}/${name}.c)
  endforeach()
  file(GLOB headers CONFIGURE_DEPENDS ${src}/pricing/*.h ${src}/base/*.h
       ${src}/pricing/compile/*.h ${PROJECT_SOURCE_DIR}/include/llmlab/*.h)
  file(MAKE_DIRECTORY ${dir})

  add_custom_command(
    OUTPUT ${compiler}
    COMMAND ${cc} -std=gnu11 -O1 -Wall -Wextra -D_GNU_SOURCE -DLLMLAB_STATIC
            -I${src} -I${src}/pricing/compile -I${PROJECT_SOURCE_DIR}/include
            -o ${compiler} ${sources} ${cjson}
    DEPENDS ${sources} ${headers}
    COMMENT "Building the price table's compiler" VERBATIM)
  add_custom_command(
    OUTPUT ${table}
    COMMAND ${compiler} ${table} ${dir}/report.txt ${prices}
    DEPENDS ${compiler} ${prices}
    COMMENT "Compiling the price table" VERBATIM)
  # The libraries share the file: one target makes it, before all of them.
  add_custom_target(llmlab_price_table DEPENDS ${table})
  set(${out} ${table} PARENT_SCOPE)
endfunction()
