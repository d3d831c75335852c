/*
 * The yardstick: how fast the kernel takes and tells IPVS rules when the client costs nothing.
 *
 * Requests are prepared before the clock starts; while it runs, bytes are sent and answers counted, no more. That is the best
 * a client can do, so every figure of the benchmark is a ratio to one of these.
 *
 *   reference --services N --destinations M [--send-bytes B] [--receive-bytes B] [--loops L] PHASE...
 *
 * Phases run in the order given, on the table of services 10.0.0.0 + i, TCP port 80, each with destinations 172.16.0.1 + j:
 *
 *   add | update | remove                        both kinds: services and their destinations
 *   add-services | add-destinations | ...        one kind
 *   each:PHASE                                   the same, one request a system call, each acknowledged
 *   snapshot                                     all services, then the destinations of each
 *   flush                                        an emptied table
 *   getppid                                      L of the cheapest system call, to know what one costs here
 *
 * The clock is read twice a phase: in user-mode Linux and on some virtual machines reading it is a system call.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  PARTS = 8,             /* datagrams taken by one recvmmsg */
  PART_BYTES = 32 << 10  /* the kernel fills at most just under 32 KiB of a dump into one */
};

static struct {
  unsigned services, destinations, loops;
  size_t send_bytes;
  int receive_bytes;
} options = {1000, 10, 1000, 256 << 10, 4 << 20};

static int socket_fd;
static uint16_t family;
static uint32_t sequence;
static struct mmsghdr parts[PARTS];

static void fail(const char *what) {
  fprintf(stderr, "reference: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static struct {
  unsigned char *bytes;
  size_t length, capacity;
  unsigned count;
} requests;

static void *append(size_t length) {
  size_t aligned = NLMSG_ALIGN(length);
  if (requests.length + aligned > requests.capacity) {
    requests.capacity = (requests.length + aligned) * 2;
    requests.bytes = realloc(requests.bytes, requests.capacity);
    if (!requests.bytes) fail("memory for the requests");
  }
  void *at = requests.bytes + requests.length;
  memset(at, 0, aligned);
  requests.length += aligned;
  return at;
}

static size_t attribute(uint16_t type, const void *value, size_t length) {
  size_t start = requests.length;
  struct nlattr *header = append(NLA_HDRLEN + length);
  header->nla_type = type;
  header->nla_len = NLA_HDRLEN + length;
  if (length) memcpy((char *)header + NLA_HDRLEN, value, length);
  return start;
}

static void attribute_u32(uint16_t type, uint32_t value) { attribute(type, &value, sizeof value); }
static void attribute_u16(uint16_t type, uint16_t value) { attribute(type, &value, sizeof value); }

static size_t begin_nest(uint16_t type) { return attribute(type | NLA_F_NESTED, NULL, 0); }
static void end_nest(size_t start) { ((struct nlattr *)(requests.bytes + start))->nla_len = requests.length - start; }

static size_t begin_request(uint16_t type, uint8_t command, uint8_t version, uint16_t flags) {
  size_t start = requests.length;
  struct nlmsghdr *header = append(NLMSG_HDRLEN + GENL_HDRLEN);
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | flags;
  header->nlmsg_seq = ++sequence;
  struct genlmsghdr *generic = NLMSG_DATA(header);
  generic->cmd = command;
  generic->version = version;
  requests.count++;
  return start;
}

static void end_request(size_t start) { ((struct nlmsghdr *)(requests.bytes + start))->nlmsg_len = requests.length - start; }

static void forget_requests(void) { requests.length = requests.count = 0; }

static void put_service(unsigned index, int configured) {
  uint32_t address = htonl(0x0a000000u + index);
  size_t nest = begin_nest(IPVS_CMD_ATTR_SERVICE);
  attribute_u16(IPVS_SVC_ATTR_AF, AF_INET);
  attribute_u16(IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
  attribute_u32(IPVS_SVC_ATTR_ADDR, address);
  attribute_u16(IPVS_SVC_ATTR_PORT, htons(80));
  if (configured) {
    struct ip_vs_flags flags = {0, ~0u};
    attribute(IPVS_SVC_ATTR_SCHED_NAME, "rr", 3);
    attribute(IPVS_SVC_ATTR_FLAGS, &flags, sizeof flags);
    attribute_u32(IPVS_SVC_ATTR_TIMEOUT, 0);
    attribute_u32(IPVS_SVC_ATTR_NETMASK, ~0u);
  }
  end_nest(nest);
}

static void put_destination(unsigned index, uint32_t weight) {
  size_t nest = begin_nest(IPVS_CMD_ATTR_DEST);
  attribute_u32(IPVS_DEST_ATTR_ADDR, htonl(0xac100001u + index));
  attribute_u16(IPVS_DEST_ATTR_PORT, htons(8080));
  if (weight) {
    attribute_u32(IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
    attribute_u32(IPVS_DEST_ATTR_WEIGHT, weight);
    attribute_u32(IPVS_DEST_ATTR_U_THRESH, 0);
    attribute_u32(IPVS_DEST_ATTR_L_THRESH, 0);
  }
  end_nest(nest);
}

/* --- the conversation ----------------------------------------------------------------------------------------------------- */

struct tally {
  unsigned requests, refused, services, destinations;
};

/* Takes what is waiting. True once the answer to request `last` (its acknowledgement, or the end of its dump) was seen. */
static int receive(uint32_t last, unsigned *records, unsigned *refused) {
  int done = 0;
  int count = recvmmsg(socket_fd, parts, PARTS, MSG_WAITFORONE, NULL);
  if (count < 0) fail("receiving");
  for (int i = 0; i < count; i++) {
    int length = parts[i].msg_len;
    for (struct nlmsghdr *m = parts[i].msg_hdr.msg_iov->iov_base; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
      if (m->nlmsg_type == NLMSG_ERROR) {
        *refused += ((struct nlmsgerr *)NLMSG_DATA(m))->error != 0;
        done |= m->nlmsg_seq == last;
      } else if (m->nlmsg_type == NLMSG_DONE) {
        done |= m->nlmsg_seq == last;
      } else {
        ++*records;
      }
    }
  }
  return done;
}

static void transact(const void *bytes, size_t length, uint32_t last, unsigned *records, unsigned *refused) {
  if (send(socket_fd, bytes, length, 0) != (ssize_t)length) fail("sending");
  while (!receive(last, records, refused)) {}
}

/* One request, one answer, into one buffer: plain recv costs less than recvmmsg where one datagram is all there will be. */
static void exchange(struct nlmsghdr *request, struct tally *tally) {
  static char answer[PART_BYTES];
  if (send(socket_fd, request, request->nlmsg_len, 0) < 0) fail("sending");
  if (recv(socket_fd, answer, sizeof answer, 0) < 0) fail("receiving");
  struct nlmsghdr *m = (struct nlmsghdr *)answer;
  tally->refused += m->nlmsg_type != NLMSG_ERROR || ((struct nlmsgerr *)NLMSG_DATA(m))->error != 0;
}

static void open_socket(void) {
  socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  if (socket_fd < 0) fail("opening a socket");
  int one = 1, send_buffer = options.send_bytes * 2;
  setsockopt(socket_fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  if (setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer) < 0 ||
      setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUFFORCE, &options.receive_bytes, sizeof options.receive_bytes) < 0)
    fail("raising the socket's buffers");
  for (int i = 0; i < PARTS; i++) {
    static struct iovec spans[PARTS];
    spans[i] = (struct iovec){malloc(PART_BYTES), PART_BYTES};
    memset(spans[i].iov_base, 0, PART_BYTES);
    parts[i].msg_hdr.msg_iov = &spans[i];
    parts[i].msg_hdr.msg_iovlen = 1;
  }
}

static void resolve_family(void) {
  size_t start = begin_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
  attribute(CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME, sizeof IPVS_GENL_NAME);
  end_request(start);
  if (send(socket_fd, requests.bytes, requests.length, 0) < 0) fail("asking for the family");
  if (recvmmsg(socket_fd, parts, 1, 0, NULL) != 1) fail("asking for the family");
  struct nlmsghdr *m = parts[0].msg_hdr.msg_iov->iov_base;
  int left = (int)m->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
  if (m->nlmsg_type != NLMSG_ERROR)
    for (char *at = (char *)NLMSG_DATA(m) + GENL_HDRLEN; left >= NLA_HDRLEN;) {
      struct nlattr *a = (struct nlattr *)at;
      if (a->nla_type == CTRL_ATTR_FAMILY_ID) family = *(uint16_t *)(at + NLA_HDRLEN);
      at += NLA_ALIGN(a->nla_len);
      left -= NLA_ALIGN(a->nla_len);
    }
  forget_requests();
  if (!family) {
    fprintf(stderr, "reference: this kernel has no IPVS (modprobe ip_vs)\n");
    exit(1);
  }
}

/* --- phases --------------------------------------------------------------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

enum { SERVICES = 1, DESTINATIONS = 2, BOTH = 3 };
enum verb { ADD, UPDATE, REMOVE };

static void prepare_service(unsigned index, enum verb verb, uint16_t flags) {
  static const uint8_t commands[] = {IPVS_CMD_NEW_SERVICE, IPVS_CMD_SET_SERVICE, IPVS_CMD_DEL_SERVICE};
  size_t start = begin_request(family, commands[verb], IPVS_GENL_VERSION, flags);
  put_service(index, verb != REMOVE);
  end_request(start);
}

static void prepare_destination(unsigned service, unsigned index, enum verb verb, uint16_t flags) {
  static const uint8_t commands[] = {IPVS_CMD_NEW_DEST, IPVS_CMD_SET_DEST, IPVS_CMD_DEL_DEST};
  static const uint32_t weights[] = {1, 2, 0};
  size_t start = begin_request(family, commands[verb], IPVS_GENL_VERSION, flags);
  put_service(service, 0);
  put_destination(index, weights[verb]);
  end_request(start);
}

static void prepare(enum verb verb, int kinds, uint16_t flags) {
  forget_requests();
  for (unsigned s = 0; s < options.services; s++) {
    if (kinds & SERVICES && verb != REMOVE) prepare_service(s, verb, flags);
    if (kinds & DESTINATIONS)
      for (unsigned d = 0; d < options.destinations; d++) prepare_destination(s, d, verb, flags);
    if (kinds & SERVICES && verb == REMOVE) prepare_service(s, verb, flags);
  }
}

static double change_each(enum verb verb, int kinds, struct tally *tally) {
  prepare(verb, kinds, NLM_F_ACK);
  double start = now();
  for (size_t at = 0; at < requests.length;) {
    struct nlmsghdr *request = (struct nlmsghdr *)(requests.bytes + at);
    exchange(request, tally);
    at += NLMSG_ALIGN(request->nlmsg_len);
  }
  double seconds = now() - start;
  tally->requests = requests.count;
  return seconds;
}

struct chunk {
  size_t start, length;
  uint32_t last;
};

/* Cuts the requests into sends and asks for the acknowledgement of each one's last request only. */
static unsigned cut(struct chunk **chunks) {
  unsigned count = 0;
  *chunks = malloc((requests.length / (options.send_bytes / 2) + 2) * sizeof **chunks);
  for (size_t at = 0; at < requests.length;) {
    struct chunk *chunk = &(*chunks)[count++];
    struct nlmsghdr *request = NULL;
    chunk->start = at;
    while (at < requests.length) {
      struct nlmsghdr *next = (struct nlmsghdr *)(requests.bytes + at);
      if (at + next->nlmsg_len - chunk->start > options.send_bytes) break;
      request = next;
      at += NLMSG_ALIGN(next->nlmsg_len);
    }
    request->nlmsg_flags |= NLM_F_ACK;
    chunk->last = request->nlmsg_seq;
    chunk->length = at - chunk->start;
  }
  return count;
}

static double change_batched(enum verb verb, int kinds, struct tally *tally) {
  prepare(verb, kinds, 0);
  struct chunk *chunks;
  unsigned count = cut(&chunks), records = 0;
  double start = now();
  for (unsigned i = 0; i < count; i++)
    transact(requests.bytes + chunks[i].start, chunks[i].length, chunks[i].last, &records, &tally->refused);
  double seconds = now() - start;
  free(chunks);
  tally->requests = requests.count;
  return seconds;
}

static double snapshot(struct tally *tally) {
  forget_requests();
  end_request(begin_request(family, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION, NLM_F_DUMP));
  for (unsigned s = 0; s < options.services && options.destinations; s++) {
    size_t start = begin_request(family, IPVS_CMD_GET_DEST, IPVS_GENL_VERSION, NLM_F_DUMP);
    put_service(s, 0);
    end_request(start);
  }
  double start = now();
  unsigned *records = &tally->services;
  for (size_t at = 0; at < requests.length; records = &tally->destinations) {
    struct nlmsghdr *request = (struct nlmsghdr *)(requests.bytes + at);
    transact(request, request->nlmsg_len, request->nlmsg_seq, records, &tally->refused);
    at += NLMSG_ALIGN(request->nlmsg_len);
  }
  double seconds = now() - start;
  tally->requests = requests.count;
  return seconds;
}

static double flush(struct tally *tally) {
  forget_requests();
  size_t begin = begin_request(family, IPVS_CMD_FLUSH, IPVS_GENL_VERSION, NLM_F_ACK);
  end_request(begin);
  double start = now();
  exchange((struct nlmsghdr *)requests.bytes, tally);
  tally->requests = 1;
  return now() - start;
}

static double call_getppid(struct tally *tally) {
  tally->requests = options.loops;
  double start = now();
  for (unsigned i = 0; i < options.loops; i++) syscall(SYS_getppid);
  return now() - start;
}

static double run(const char *phase, struct tally *tally) {
  static const char *const verbs[] = {"add", "update", "remove"};
  static const struct {
    const char *suffix;
    int kinds;
  } suffixes[] = {{"", BOTH}, {"-services", SERVICES}, {"-destinations", DESTINATIONS}};
  if (!strcmp(phase, "snapshot")) return snapshot(tally);
  if (!strcmp(phase, "flush")) return flush(tally);
  if (!strcmp(phase, "getppid")) return call_getppid(tally);
  int each = !strncmp(phase, "each:", 5);
  const char *name = phase + (each ? 5 : 0);
  for (int verb = 0; verb < 3; verb++)
    for (int s = 0; s < 3; s++) {
      size_t length = strlen(verbs[verb]);
      if (strncmp(name, verbs[verb], length) || strcmp(name + length, suffixes[s].suffix)) continue;
      return each ? change_each(verb, suffixes[s].kinds, tally) : change_batched(verb, suffixes[s].kinds, tally);
    }
  fprintf(stderr, "reference: no phase is called %s\n", phase);
  exit(2);
}

int main(int argc, char **argv) {
  int i = 1;
  for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
    unsigned long value = strtoul(argv[i + 1], NULL, 10);
    if (!strcmp(argv[i], "--services")) options.services = value;
    else if (!strcmp(argv[i], "--destinations")) options.destinations = value;
    else if (!strcmp(argv[i], "--send-bytes")) options.send_bytes = value;
    else if (!strcmp(argv[i], "--receive-bytes")) options.receive_bytes = value;
    else if (!strcmp(argv[i], "--loops")) options.loops = value;
    else {
      fprintf(stderr, "reference: no option is called %s\n", argv[i]);
      return 2;
    }
  }
  // The cheapest system call is measured where there is no IPVS, too.
  if (i + 1 < argc || (i < argc && strcmp(argv[i], "getppid"))) {
    open_socket();
    resolve_family();
  }
  printf("[");
  for (int first = i; i < argc; i++) {
    struct tally tally = {0};
    double seconds = run(argv[i], &tally);
    printf("%s{\"phase\":\"%s\",\"seconds\":%.9f,\"requests\":%u,\"refused\":%u,\"services\":%u,\"destinations\":%u}", i > first ? ",\n" : "",
           argv[i], seconds, tally.requests, tally.refused, tally.services, tally.destinations);
  }
  printf("]\n");
  return 0;
}
