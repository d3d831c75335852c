/**
 * What a prebuilt addon may leave undefined besides Node-API: names of the C library. All of them are in glibc 2.28 and in musl, under the
 * same name and with the same meaning. A name is added here only after that has been looked up for both.
 */
export const libraryNames: ReadonlySet<string> = new Set([
  '__cxa_finalize', '__errno_location', '__sched_cpucount', 'abort', 'bind', 'clock_gettime', 'close', 'dlsym', 'eventfd', 'fcntl', 'free',
  'getpid', 'getsockopt', 'malloc', 'memcmp', 'memcpy', 'memmove', 'memset', 'mmap', 'munmap', 'open', 'poll', 'pthread_attr_destroy',
  'pthread_attr_init', 'pthread_attr_setstacksize', 'pthread_create', 'pthread_join', 'pthread_mutex_destroy', 'pthread_mutex_lock',
  'pthread_mutex_unlock', 'pthread_setname_np', 'pthread_sigmask', 'read', 'realloc', 'recv', 'recvfrom', 'recvmmsg', 'sched_getaffinity', 'sched_getcpu',
  'sched_yield', 'send', 'sendto', 'setns', 'setsockopt', 'sigfillset', 'socket', 'strlen', 'strnlen', 'syscall', 'write',
])

/** What Node looks up in an addon. Nothing else is exported. */
export const exportedNames = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']
