/*
 * What C does on the load of the pipeline with one thread: the reference that the pipeline's goal is a part of. It reads all
 * connections by epoll, scans every line as JSON (structure, strings, escapes, numbers, literals, nesting), finds type, agent,
 * status and ts, and keeps Welford's moments of ts per (type, agent, status) in a hash table. That is the bare work: no check of
 * UTF-8 or of the events' rules, no state of workflows or tasks, no histograms, no archive, no fsync.
 *
 *   cc -O2 -o reference bench/reference.c && ./reference SOCKET
 *
 * Says `ready` on standard output when it listens; answers {"type":"sync",…} lines as the daemon does, with the id 1 that the
 * sender uses; at the end of standard input prints its totals as JSON, and ends.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SCRATCH_BYTES = 256 * 1024, CARRY_BYTES = 64 * 1024, CONNECTIONS_MAX = 1024, CELLS = 4096, DEPTH_MAX = 64 };

struct span { const char *at; size_t length; };
struct line { struct span type, agent, status; double ts, tokens; };
struct cell { uint64_t key; double count, mean, m2; };
struct connection { char *carry; size_t carried; long accepted; };

static struct cell cells[CELLS];
static struct connection connections[CONNECTIONS_MAX];
static long lines, malformed, ends;
static double tokens_sum;

static void fail(const char *what) { perror(what); exit(1); }

/* Behind the closing quote, or NULL. Eight bytes a step: the usual test for a quote, a backslash or a control byte in a word. */
static const char *skip_string(const char *p) {
  const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
  for (;;) {
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t q = w ^ (ones * '"'), b = w ^ (ones * '\\');
    uint64_t hit = (((q - ones) & ~q) | ((b - ones) & ~b) | ((w - ones * 0x20) & ~w)) & highs;
    if (hit == 0) { p += 8; continue; }
    p += __builtin_ctzll(hit) >> 3;
    if (*p == '"') return p + 1;
    if (*p != '\\') return NULL;
    if (p[1] == 'u') {
      for (int i = 2; i < 6; i++) if (!strchr("0123456789abcdefABCDEF", p[i]) || p[i] == 0) return NULL;
      p += 6;
    } else {
      if (p[1] == 0 || !strchr("\"\\/bfnrt", p[1])) return NULL;
      p += 2;
    }
  }
}

static const double TENS[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static const char *read_number(const char *p, double *value) {
  const char *start = p;
  int negative = *p == '-';
  if (negative) p++;
  if (*p < '0' || *p > '9') return NULL;
  if (*p == '0' && p[1] >= '0' && p[1] <= '9') return NULL;
  uint64_t digits = 0;
  int count = 0, fraction = 0;
  for (; *p >= '0' && *p <= '9'; p++, count++) digits = digits * 10 + (uint64_t)(*p - '0');
  if (*p == '.') {
    if (p[1] < '0' || p[1] > '9') return NULL;
    for (p++; *p >= '0' && *p <= '9'; p++, count++, fraction++) digits = digits * 10 + (uint64_t)(*p - '0');
  }
  if (count <= 15 && *p != 'e' && *p != 'E') {
    double d = (double)digits / TENS[fraction];
    *value = negative ? -d : d;
    return p;
  }
  char *end;
  *value = strtod(start, &end);
  return end == start ? NULL : end;
}

static inline const char *skip_space(const char *p) {
  while (*p == ' ' || *p == '\t' || *p == '\r') p++;
  return p;
}

static const char *skip_value(const char *p, int depth) {
  double number;
  if (depth > DEPTH_MAX) return NULL;
  switch (*p) {
    case '"': return skip_string(p + 1);
    case 't': return memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f': return memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n': return memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    case '{':
    case '[': {
      char close = *p == '{' ? '}' : ']';
      int is_object = *p == '{';
      p = skip_space(p + 1);
      if (*p == close) return p + 1;
      for (;;) {
        if (is_object) {
          if (*p != '"' || !(p = skip_string(p + 1))) return NULL;
          p = skip_space(p);
          if (*p != ':') return NULL;
          p = skip_space(p + 1);
        }
        if (!(p = skip_value(p, depth + 1))) return NULL;
        p = skip_space(p);
        if (*p == close) return p + 1;
        if (*p != ',') return NULL;
        p = skip_space(p + 1);
      }
    }
    default: return read_number(p, &number);
  }
}

static int is_key(const char *key, size_t length, const char *name) {
  return strlen(name) == length && memcmp(key, name, length) == 0;
}

/* The line at p, which ends in '\n' with at least 16 readable bytes behind it. Returns 0 where it is no JSON object. */
static int scan(const char *p, struct line *line) {
  p = skip_space(p);
  if (*p != '{') return 0;
  p = skip_space(p + 1);
  if (*p == '}') return *skip_space(p + 1) == '\n';
  for (;;) {
    if (*p != '"') return 0;
    const char *key = p + 1;
    if (!(p = skip_string(key))) return 0;
    size_t length = (size_t)(p - key - 1);
    p = skip_space(p);
    if (*p != ':') return 0;
    p = skip_space(p + 1);
    struct span *text = NULL;
    double *number = NULL;
    if (is_key(key, length, "type")) text = &line->type;
    else if (is_key(key, length, "agent")) text = &line->agent;
    else if (is_key(key, length, "status")) text = &line->status;
    else if (is_key(key, length, "ts")) number = &line->ts;
    else if (is_key(key, length, "tokens")) number = &line->tokens;
    const char *value = p;
    if (number && (*p == '-' || (*p >= '0' && *p <= '9'))) p = read_number(p, number);
    else p = skip_value(p, 1);
    if (!p) return 0;
    if (text && *value == '"') *text = (struct span){value + 1, (size_t)(p - value - 2)};
    p = skip_space(p);
    if (*p == ',') { p = skip_space(p + 1); continue; }
    if (*p != '}') return 0;
    return *skip_space(p + 1) == '\n';
  }
}

static uint64_t hash_span(uint64_t hash, struct span s) {
  for (size_t i = 0; i < s.length; i++) hash = (hash ^ (unsigned char)s.at[i]) * 0x100000001b3u;
  return hash * 0x9e3779b97f4a7c15u + s.length;
}

static void add(const struct line *line) {
  uint64_t key = hash_span(hash_span(hash_span(0xcbf29ce484222325u, line->type), line->agent), line->status) | 1;
  size_t at = (size_t)(key >> 20) & (CELLS - 1);
  while (cells[at].key != 0 && cells[at].key != key) at = (at + 1) & (CELLS - 1);
  struct cell *cell = &cells[at];
  cell->key = key;
  double d = line->ts - cell->mean;
  cell->count += 1;
  cell->mean += d / cell->count;
  cell->m2 += d * (line->ts - cell->mean);
}

static void take(struct connection *c, int fd, const char *p, const char *end) {
  while (p < end) {
    const char *line_end = memchr(p, '\n', (size_t)(end - p));
    struct line line = {.ts = NAN, .tokens = NAN};
    if (!scan(p, &line)) malformed++;
    else if (line.type.length == 4 && memcmp(line.type.at, "sync", 4) == 0) {
      char reply[128];
      int n = snprintf(reply, sizeof reply, "{\"type\":\"synced\",\"id\":1,\"seq\":null,\"accepted\":%ld,\"rejected\":0}\n", c->accepted);
      if (write(fd, reply, (size_t)n) != n) fail("reply");
    } else {
      lines++;
      c->accepted++;
      if (line.type.length == 8 && memcmp(line.type.at, "task.end", 8) == 0) ends++;
      if (!isnan(line.tokens)) tokens_sum += line.tokens;
      if (!isnan(line.ts)) add(&line);
    }
    p = line_end + 1;
  }
}

/* One read: the whole lines of carry and scratch, and the rest into the carry. Returns 0 at the end of the connection. */
static int serve(int fd, struct connection *c, char *buffer) {
  memcpy(buffer, c->carry, c->carried);
  ssize_t n = read(fd, buffer + c->carried, SCRATCH_BYTES);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  char *end = buffer + c->carried + n;
  char *last = memrchr(buffer, '\n', (size_t)(end - buffer));
  char *rest = last ? last + 1 : buffer;
  if (last) take(c, fd, buffer, rest);
  c->carried = (size_t)(end - rest);
  if (c->carried > CARRY_BYTES) { fprintf(stderr, "a line is longer than %d bytes\n", CARRY_BYTES); exit(1); }
  memcpy(c->carry, rest, c->carried);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) { fprintf(stderr, "usage: reference SOCKET\n"); return 64; }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(argv[1]) >= sizeof address.sun_path) { fprintf(stderr, "the path of the socket is too long\n"); return 64; }
  strcpy(address.sun_path, argv[1]);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = STDIN_FILENO;
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  /* Room behind the last byte: the scan reads eight at a time. */
  char *buffer = calloc(1, CARRY_BYTES + SCRATCH_BYTES + 64);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == STDIN_FILENO) {
        double cell_count = 0;
        for (int k = 0; k < CELLS; k++) cell_count += cells[k].count;
        printf("{\"lines\":%ld,\"malformed\":%ld,\"ends\":%ld,\"tokens\":%.0f,\"samples\":%.0f}\n", lines, malformed, ends, tokens_sum, cell_count);
        return 0;
      }
      if (fd == listener) {
        int accepted = accept(listener, NULL, NULL);
        if (accepted < 0 || accepted >= CONNECTIONS_MAX) fail("accept");
        connections[accepted] = (struct connection){.carry = malloc(CARRY_BYTES)};
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
      } else if (!serve(fd, &connections[fd], buffer)) {
        close(fd);
        free(connections[fd].carry);
      }
    }
  }
}
