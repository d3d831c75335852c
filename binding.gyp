# What is shipped: exactly one .node target. Developers' builds (Debug, sanitizers, native tests, fuzzers) are in CMakeLists.txt.
{
  'includes': ['native/sources.gypi'],
  'targets': [
    {
      'target_name': 'ipvs',
      'sources': ['<@(netlink_sources)', '<@(ipvs_sources)', '<@(node_sources)'],
      'include_dirs': ['native', '<!(node -p "require(\'node-addon-api\').include_dir")'],
      # The last one: where a worker thread is being terminated, no exception can be thrown any more, and node-addon-api would end the process.
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++1y', '-O3'],
      'cflags_cc': ['-std=c++20', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'],
    },
  ],
}
