# find_package(spate): gives spate::spate. What the libraries were linked with must be there too.
include(CMakeFindDependencyMacro)
find_dependency(OpenSSL 3)
find_dependency(Protobuf)
find_dependency(ZLIB)
find_dependency(spdlog)
include(${CMAKE_CURRENT_LIST_DIR}/spateTargets.cmake)
