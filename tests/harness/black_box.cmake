# vpntun_black_box_test(NAME FILE [LABEL label] [TIMEOUT seconds]): one pytest file, isolated from the machine.
# It finds the built programs in VPNTUN_BIN_DIR.
function(vpntun_black_box_test name file)
  cmake_parse_arguments(TEST "" "LABEL;TIMEOUT" "" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 1500)
  endif()
  add_test(NAME ${name}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/harness/isolated
      /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -x ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "VPNTUN_BIN_DIR=${PROJECT_BINARY_DIR}/bin;PYTHONPATH=${PROJECT_SOURCE_DIR}/tests"
    TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABEL}")
endfunction()
