# Installing, find_package(llmlab) and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/llmlab)

install(DIRECTORY include/llmlab DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(kind IN ITEMS shared static)
  set(target llmlab)
  if(kind STREQUAL static)
    set(target llmlab_static)
  endif()
  install(TARGETS ${target} EXPORT llmlab-${kind}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT llmlab-${kind} NAMESPACE llmlab:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/llmlab-config.cmake.in
  ${CMAKE_BINARY_DIR}/llmlab-config.cmake INSTALL_DESTINATION ${package_dir})
# In 0.x a minor version may break, so it must match.
write_basic_package_version_file(
  ${CMAKE_BINARY_DIR}/llmlab-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/llmlab-config.cmake
              ${CMAKE_BINARY_DIR}/llmlab-config-version.cmake
        DESTINATION ${package_dir})

# The prefix is left relative, so that an installed tree can be moved.
file(RELATIVE_PATH up_to_prefix
     ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" up_to_prefix "${up_to_prefix}")
configure_file(cmake/llmlab.pc.in ${CMAKE_BINARY_DIR}/llmlab.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/llmlab.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
