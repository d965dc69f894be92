// RCCL or NCCL of the fake driver; part of gpu.c, whose streams it needs. Ranks are threads of this process, or processes: with FAKE_RANKS set to
// "processes" the group's memory is a file, and a thread lets the streams go on by themselves, as devices do.

enum { MOST_RANKS = 8, SLOT = 16 << 20 };

// What all ranks see. A message lies in the even slots or in the odd ones: whoever writes a slot again has met all others since they read it.
struct meeting { int arrived, round; };
struct group { int size; struct meeting *meeting; char *slots; };
struct message { char *at; size_t bytes; int peer, is_received; };
struct communicator { struct group *group; int rank, parity, aborted; long replays; };
static struct group *only_group;
static int ranks_lost, ranks_are_processes;
static __thread struct op exchange;
static __thread struct message *messages;
static __thread int message_count, in_group;

void fake_lose_rank(void) { ranks_lost = 1; }

static int waits(struct op *op) { return (op->kind == REDUCE || op->kind == GATHER || op->kind == EXCHANGE) && !op->ranks->aborted; }

static int waits_for_ever(struct stream *s) {
  if (!ranks_lost) return 0;
  for (struct op *op = s->first; op; op = op->next) {
    if (waits(op)) return 1;
    if (op->kind == GRAPH) for (struct op *one = op->graph->first; one; one = one->next) if (waits(one)) return 1;
  }
  return 0;
}

static void go_on(struct stream *s, int round, struct meeting *m) {
  s->busy = 1;
  while (s->first && !waits_for_ever(s) && (!m || round == __atomic_load_n(&m->round, __ATOMIC_ACQUIRE))) step(s);
  s->busy = 0;
  pthread_cond_broadcast(&idle);
}

static void meet(struct group *g) {
  struct meeting *m = g->meeting;
  pthread_mutex_lock(&lock);
  int round = __atomic_load_n(&m->round, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&m->arrived, 1, __ATOMIC_ACQ_REL) == g->size) {
    m->arrived = 0;
    __atomic_store_n(&m->round, round + 1, __ATOMIC_RELEASE);
  }
  while (round == __atomic_load_n(&m->round, __ATOMIC_ACQUIRE) && !ranks_lost) {
    // Devices work by themselves: whoever waits here lets the others' streams go on.
    struct stream *other = ranks_are_processes ? NULL : streams;
    while (other && (other->busy || !other->first)) other = other->next;
    if (other) { go_on(other, round, m); continue; }
    pthread_mutex_unlock(&lock);
    usleep(100);
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
}

static char *slot(struct communicator *c, int rank) { return c->group->slots + ((size_t)c->parity * MOST_RANKS + rank) * SLOT; }

static void collect(struct op *op) {
  struct communicator *c = op->ranks;
  if (ranks_lost) return;
  c->parity ^= 1;
  char *own = slot(c, c->rank);
  if (op->kind != EXCHANGE) {
    check(op->from, op->bytes, 0, "a collective");
    check(op->to, op->kind == GATHER ? op->bytes * c->group->size : op->bytes, 0, "a collective");
    if (op->bytes > SLOT) { COMPLAIN("a message of %zu bytes", op->bytes); return; }
    memcpy(own, op->from, op->bytes);
  } else {
    // Where the part for each rank begins, and how long it is; then the parts.
    size_t *table = (size_t *)own, at = sizeof(size_t) * 2 * MOST_RANKS;
    memset(table, 0, at);
    for (int i = 0; i < op->message_count; i++) {
      struct message *m = &op->messages[i];
      check(m->at, m->bytes, 0, m->is_received ? "a message received" : "a message sent");
      if (m->is_received) continue;
      if (at + m->bytes > SLOT || table[2 * m->peer]) { COMPLAIN("a message of %zu bytes to rank %d", m->bytes, m->peer); return; }
      table[2 * m->peer] = at;
      table[2 * m->peer + 1] = m->bytes;
      memcpy(own + at, m->at, m->bytes);
      at += m->bytes;
    }
  }
  meet(c->group);
  if (ranks_lost) return;
  if (op->kind == REDUCE) {
    // Any order but that of the ranks: a sum of more than two that must be in theirs is not to be left to the library.
    for (size_t i = 0; i < op->bytes / 4; i++) {
      float sum = 0;
      for (int r = c->group->size; r-- > 0;) sum += ((float *)slot(c, r))[i];
      ((float *)op->to)[i] = sum;
    }
  }
  for (int r = 0; op->kind == GATHER && r < c->group->size; r++) memcpy(op->to + r * op->bytes, slot(c, r), op->bytes);
  for (int i = 0; i < op->message_count; i++) {
    struct message *m = &op->messages[i];
    if (!m->is_received) continue;
    size_t *table = (size_t *)slot(c, m->peer);
    if (table[2 * c->rank + 1] != m->bytes) COMPLAIN("rank %d receives %zu bytes of rank %d, which sends %zu", c->rank, m->bytes, m->peer, table[2 * c->rank + 1]);
    else memcpy(m->at, slot(c, m->peer) + table[2 * c->rank], m->bytes);
  }
}

static void *work(void *unused) {
  for (;;) {
    usleep(500);
    pthread_mutex_lock(&lock);
    for (struct stream *s = streams; s; s = s->next) if (!s->busy && s->first) { go_on(s, 0, NULL); break; }
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

typedef struct { char internal[128]; } ncclUniqueId;
int ncclGetUniqueId(ncclUniqueId *id) { memset(id, 0, sizeof *id); snprintf(id->internal, sizeof id->internal, "/fake-ranks-%d", (int)getpid()); return 0; }

static struct group *group_of(int size, const char *name) {
  struct group *g = calloc(1, sizeof *g);
  size_t bytes = 4096 + (size_t)2 * MOST_RANKS * SLOT;
  int file = ranks_are_processes ? shm_open(name, O_RDWR | O_CREAT, 0600) : -1;
  if (file >= 0 && ftruncate(file, bytes)) return NULL;
  char *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, file, 0);
  if (all == MAP_FAILED) return NULL;
  g->size = size;
  g->meeting = (struct meeting *)all;
  g->slots = all + 4096;
  return g;
}

int ncclCommInitRank(struct communicator **result, int size, ncclUniqueId id, int rank) {
  const char *channels = getenv("NCCL_MIN_NCHANNELS"), *kind = getenv("FAKE_RANKS");
  if (strncmp(id.internal, "/fake-ranks-", 12) || size > MOST_RANKS) return 4;
  *result = calloc(1, sizeof **result);
  LOCKED(
    ranks_are_processes = kind && !strcmp(kind, "processes");
    if (!only_group || only_group->size != size) only_group = group_of(size, id.internal);
    say("ranks", "rank %d of %d on device %d, NCCL_MIN_NCHANNELS %s", rank, size, current, channels ? channels : "not set"));
  if (!only_group) return 2;
  **result = (struct communicator){ only_group, rank, 0, 0, replays };
  if (ranks_are_processes) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    meet(only_group);
    shm_unlink(id.internal);
  }
  return 0;
}
int ncclAllReduce(char *from, char *to, size_t count, int type, int op, struct communicator *c, struct stream *s) {
  ON(s);
  if (type != 7 || op != 0) return 4;
  LOCKED(enqueue(s, (struct op){ .kind = REDUCE, .from = from, .to = to, .bytes = 4 * count, .ranks = c }));
  return 0;
}
int ncclAllGather(char *from, char *to, size_t count, int type, struct communicator *c, struct stream *s) {
  ON(s);
  if (type != 7) return 4;
  LOCKED(enqueue(s, (struct op){ .kind = GATHER, .from = from, .to = to, .bytes = 4 * count, .ranks = c }));
  return 0;
}
int ncclGroupStart(void) { in_group++; return 0; }
static int message(char *at, size_t count, int type, int peer, struct communicator *c, struct stream *s, int is_received) {
  ON(s);
  if (type != 7 || !in_group || peer < 0 || peer >= c->group->size || peer == c->rank) return 4;
  messages = realloc(messages, sizeof *messages * (message_count + 1));
  messages[message_count++] = (struct message){ at, 4 * count, peer, is_received };
  exchange = (struct op){ .kind = EXCHANGE, .ranks = c, .to = (char *)s };
  return 0;
}
int ncclSend(char *from, size_t count, int type, int peer, struct communicator *c, struct stream *s) { return message(from, count, type, peer, c, s, 0); }
int ncclRecv(char *to, size_t count, int type, int peer, struct communicator *c, struct stream *s) { return message(to, count, type, peer, c, s, 1); }
int ncclGroupEnd(void) {
  if (!in_group--) return 5;
  if (in_group || !message_count) return 0;
  struct stream *s = (struct stream *)exchange.to;
  exchange.messages = messages;
  exchange.message_count = message_count;
  LOCKED(enqueue(s, exchange));
  messages = NULL;
  message_count = 0;
  return 0;
}
int ncclBroadcast(char *from, char *to, size_t count, int type, int root, struct communicator *c, struct stream *s) { return 5; }
int ncclCommGetAsyncError(struct communicator *c, int *result) { *result = ranks_lost ? 6 : 0; return 0; }
int ncclCommDestroy(struct communicator *c) { LOCKED(say("ranks", "rank %d leaves after %ld replays", c->rank, replays - c->replays)); return 0; }
int ncclCommAbort(struct communicator *c) { c->aborted = 1; return 0; }
const char *ncclGetErrorString(int result) { return result == 6 ? "remote process exited" : result ? "a fake's error" : "no error"; }
