# What is shipped: exactly one .node target. Developers' builds (Debug, sanitizers, native tests, fuzzers) are in ../CMakeLists.txt.
{
  'includes': ['sources.gypi'],
  'targets': [
    {
      'target_name': 'ipvs',
      'sources': ['<@(netlink_sources)', '<@(ipvs_sources)', '<@(node_sources)'],
      'include_dirs': ['.', '<!(node -p "require(\'node-addon-api\').include_dir")'],
      # The last one: where a worker thread is being terminated, no exception can be thrown any more, and node-addon-api would end the process.
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++1y', '-O3'],
      'cflags_cc': ['-std=c++20', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'],
      'conditions': [
        # One file for every C library: nothing is linked, and the names of the C library are those of the process that loads the addon. Only
        # names that glibc 2.28 and musl have are used (scripts/prebuild/names.ts), and of the C++ runtime only what runtime.cc has.
        ['target_arch in ("x64", "arm64")', {
          'sources': ['<@(runtime_sources)'],
          # They would choose names with 64 at their end, which musl does not have. Both architectures have large files without them.
          'defines!': ['_FILE_OFFSET_BITS=64', '_LARGEFILE_SOURCE'],
          'ldflags': ['-nodefaultlibs', '-Wl,-z,relro,-z,now', '-Wl,--version-script=<!(pwd)/node/exports.map'],
        }],
        # Atomic instructions by way of functions would need libgcc.
        ['target_arch=="arm64"', { 'cflags_cc': ['-mno-outline-atomics'] }],
      ],
    },
  ],
}
