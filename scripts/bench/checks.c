// What checks of servers cost at least: one epoll loop, and no state at all.
//
//   checks serve                            prints "TCP_PORT HTTP_PORT"; accepts on all addresses until it can read from its standard input
//   checks run TCP HTTP COUNT PERIOD SECONDS   COUNT connections and COUNT pages every PERIOD seconds, evenly, to addresses of 127.1.0.0/16;
//                                           prints what became of them as JSON
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, DESCRIPTORS = 65536, BURST = 200 };

static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
static const char request[] = "GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1:80\r\n\r\n";

static int fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int epoll, int operation, int descriptor, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  if (epoll_ctl(epoll, operation, descriptor, &event) != 0) fail("epoll_ctl");
}

static int listener(int *port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  if (descriptor < 0 || bind(descriptor, (void *)&address, sizeof address) != 0 || listen(descriptor, 4096) != 0 ||
      getsockname(descriptor, (void *)&address, &length) != 0)
    fail("listen");
  *port = ntohs(address.sin_port);
  return descriptor;
}

static int serve(void) {
  int epoll = epoll_create1(0), ports[2], listeners[2];
  for (int i = 0; i < 2; ++i) {
    listeners[i] = listener(&ports[i]);
    watch(epoll, EPOLL_CTL_ADD, listeners[i], EPOLLIN);
  }
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
  printf("%d %d\n", ports[0], ports[1]);
  fflush(stdout);
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; ++i) {
      int descriptor = events[i].data.fd;
      char bytes[4096];
      if (descriptor == STDIN_FILENO) return 0;
      if (descriptor == listeners[0] || descriptor == listeners[1]) {
        for (int client; (client = accept4(descriptor, NULL, NULL, SOCK_NONBLOCK)) >= 0;) watch(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
        continue;
      }
      ssize_t length = read(descriptor, bytes, sizeof bytes);
      if (length <= 0) {
        close(descriptor);
        continue;
      }
      send(descriptor, answer, sizeof answer - 1, MSG_NOSIGNAL);
      shutdown(descriptor, SHUT_WR);
    }
  }
}

enum Stage { CONNECTING_ONLY = 1, CONNECTING, ASKED, ANSWERED };

static char stages[DESCRIPTORS];
static long good, bad;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void begin(int epoll, unsigned number, int port, enum Stage stage) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0 || descriptor >= DESCRIPTORS) fail("socket");
  // A reset instead of a minute in TIME_WAIT.
  struct linger linger = {1, 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f010000 + number)};
  if (connect(descriptor, (void *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    ++bad;
    close(descriptor);
    return;
  }
  stages[descriptor] = stage;
  watch(epoll, EPOLL_CTL_ADD, descriptor, EPOLLOUT);
}

static void end(int descriptor, int isGood) {
  isGood ? ++good : ++bad;
  close(descriptor);
}

static void proceed(int epoll, int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  char bytes[4096];
  switch (stages[descriptor]) {
    case CONNECTING_ONLY:
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
      return end(descriptor, error == 0);
    case CONNECTING:
      if (send(descriptor, request, sizeof request - 1, MSG_NOSIGNAL) < 0) return end(descriptor, 0);
      stages[descriptor] = ASKED;
      return watch(epoll, EPOLL_CTL_MOD, descriptor, EPOLLIN);
    default: {
      ssize_t got = read(descriptor, bytes, sizeof bytes);
      if (got <= 0) return end(descriptor, stages[descriptor] == ANSWERED);
      if (got >= 12 && memcmp(bytes, "HTTP/1.0 200", 12) == 0) stages[descriptor] = ANSWERED;
    }
  }
}

static int run(int tcp, int http, unsigned count, double period, double seconds) {
  int epoll = epoll_create1(0);
  double start = now();
  for (unsigned long done = 0;;) {
    double passed = now() - start;
    if (passed > seconds + 1) break;
    unsigned long due = (unsigned long)((passed < seconds ? passed : seconds) / period * count);
    // After a pause that others caused, not everything at once.
    for (int begun = 0; done < due && begun < BURST; ++done, ++begun) {
      begin(epoll, done % count, tcp, CONNECTING_ONLY);
      begin(epoll, done % count, http, CONNECTING);
    }
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll, events, EVENTS, 5);
    for (int i = 0; i < ready; ++i) proceed(epoll, events[i].data.fd);
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double processor = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  printf("{\"good\":%ld,\"bad\":%ld,\"processor\":%.6f}\n", good, bad, processor);
  return 0;
}

// As Node does at its start.
static void raiseLimit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **words) {
  raiseLimit();
  if (count == 2 && strcmp(words[1], "serve") == 0) return serve();
  if (count == 7 && strcmp(words[1], "run") == 0) return run(atoi(words[2]), atoi(words[3]), (unsigned)atoi(words[4]), atof(words[5]), atof(words[6]));
  fprintf(stderr, "checks serve | checks run TCP_PORT HTTP_PORT COUNT PERIOD SECONDS\n");
  return 2;
}
