// A GPU driver without a GPU: libamdhip64 (-DHIP) or libcuda, with RCCL or NCCL in the same library (ranks.h). Streams are lazy: what is enqueued happens
// when somebody waits for it, so that memory which is reused or given back too early shows. What a driver would not notice, or would crash on,
// is written down as a complaint. See FakeGpu.cs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kernels.h"

#ifdef HIP
#define NAME(hip, cuda) hip
#define ARCHITECTURE "gfx942"
#define END_OF_EXTRA 3
#else
#define NAME(hip, cuda) cuda
#define ARCHITECTURE "sm_90"
#define END_OF_EXTRA 0
#endif

enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NO_DEVICE = 100, NO_BINARY = 209, NOT_FOUND = 500, NOT_READY = 600, CAPTURING = 900 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define LOCKED(...) do { pthread_mutex_lock(&lock); __VA_ARGS__; pthread_mutex_unlock(&lock); } while (0)

// Ranks are threads: what they count, write down and own is asked for with and without the lock of the streams, and has one of its own.
static pthread_mutex_t books = PTHREAD_MUTEX_INITIALIZER;
#define BOOKED(...) do { pthread_mutex_lock(&books); __VA_ARGS__; pthread_mutex_unlock(&books); } while (0)
#define ADD(to, number) __atomic_add_fetch(&(to), number, __ATOMIC_SEQ_CST)

// ---- what tests set and ask ----
static int devices = 1, lost, captures_fail[8];
static long memory_limit = 1L << 30, memory_used, launches, replays;
static char architecture[64] = ARCHITECTURE;
static char text[1 << 20];
static size_t text_used;

static void say(const char *kind, const char *format, ...) {
  va_list arguments;
  static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&writing);
  size_t start = text_used;
  va_start(arguments, format);
  text_used += snprintf(text + text_used, sizeof text - text_used, "%s: ", kind);
  if (text_used < sizeof text) text_used += vsnprintf(text + text_used, sizeof text - text_used, format, arguments);
  if (text_used < sizeof text) text_used += snprintf(text + text_used, sizeof text - text_used, "\n");
  if (text_used > sizeof text) text_used = sizeof text;
  va_end(arguments);

  // A process that no test is in writes it to a file as well.
  const char *log = getenv("FAKE_GPU_LOG");
  FILE *file = log ? fopen(log, "a") : NULL;
  if (file) { fputs(text + start, file); fclose(file); }
  pthread_mutex_unlock(&writing);
}
#define COMPLAIN(...) say("complaint", __VA_ARGS__)

const char *fake_text(void) { return text; }
void fake_set_devices(int count) { devices = count; }
void fake_set_memory(long bytes) { memory_limit = bytes; }
void fake_set_architecture(const char *name) { snprintf(architecture, sizeof architecture, "%s", name); }
void fake_lose(int error) { lost = error; }
__attribute__((constructor)) static void begin(void) { if (getenv("FAKE_GPU_DEVICES")) devices = atoi(getenv("FAKE_GPU_DEVICES")); }
void fake_set_capturable(int yes, int device) { for (int i = 0; i < 8; i++) if (device < 0 || i == device) captures_fail[i] = !yes; }
long fake_memory_used(void) { return memory_used; }
long fake_launches(void) { return launches; }
long fake_replays(void) { return replays; }

// ---- memory ----
struct piece { char *at; size_t bytes; int pinned, device; struct piece *next; };
static struct piece *pieces;
static __thread int current;

// The piece that has all these bytes, whose place is copied; 0 where none has.
static int holding(const void *at, size_t bytes, int pinned, struct piece *found) {
  int is_found = 0;
  BOOKED(
    for (struct piece *p = pieces; p && !is_found; p = p->next)
      if (p->pinned == pinned && (char *)at >= p->at && (char *)at + bytes <= p->at + p->bytes) { *found = *p; is_found = 1; });
  return is_found;
}

void fake_complain(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  COMPLAIN("%s", line);
}

void fake_piece(const void *at, const char **low, const char **high) {
  struct piece p;
  int is_found = holding(at, 1, 0, &p);
  *low = is_found ? p.at : NULL;
  *high = is_found ? p.at + p.bytes : NULL;
}

static int give_back(void *at, int pinned) {
  struct piece *gone = NULL;
  BOOKED(
    for (struct piece **p = &pieces; *p && !gone; p = &(*p)->next)
      if ((*p)->at == at && (*p)->pinned == pinned) {
        gone = *p;
        *p = gone->next;
        if (!pinned) memory_used -= gone->bytes;
        break;
      });
  if (!gone) {
    COMPLAIN("%s memory %p given back twice, or never taken", pinned ? "pinned" : "device", at);
    return INVALID;
  }

  // Whoever still reads it, finds no numbers.
  memset(gone->at, 0xff, gone->bytes);
  kernels_free(gone->at);
  free(gone);
  return OK;
}

static int take(void **result, size_t bytes, int pinned) {
  int fits = 1;
  BOOKED(
    fits = pinned || memory_used + (long)bytes <= memory_limit;
    if (fits && !pinned) memory_used += bytes);
  if (!fits) return NO_MEMORY;
  struct piece *p = malloc(sizeof *p);
  *p = (struct piece){ kernels_alloc(bytes), bytes, pinned, current };
  memset(p->at, 0xff, bytes);
  BOOKED(p->next = pieces; pieces = p);
  *result = p->at;
  return OK;
}

// ---- streams ----
struct event { int recorded, done; };
struct module { struct kernel *kernel; int device, pending; };
struct op {
  enum { COPY_IN, COPY_OUT, COPY, FILL, LAUNCH, EVENT, GRAPH, REDUCE, GATHER, EXCHANGE } kind;
  char *to, *from;
  size_t bytes, to_pitch, from_pitch, rows;
  int value;
  unsigned digest;
  struct module *module;
  unsigned grid[3], group[3];
  char *arguments;
  struct event *event;
  struct graph *graph;           // what a GRAPH replays; of the last operation of a replay, what ends with it
  int is_replayed;               // its arguments are the graph's
  struct communicator *ranks;
  struct message *messages;      // of an EXCHANGE
  int message_count;
  struct op *next;
};
struct graph { struct op *first, *last; int pending; };
struct stream { struct op *first, *last; struct graph *capture; int device, busy; struct stream *next; };
static struct stream *streams;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;

static int enqueue(struct stream *s, struct op op) {
  struct op *copy = malloc(sizeof op);
  *copy = op;
  copy->next = NULL;
  struct op **first = s->capture ? &s->capture->first : &s->first, **last = s->capture ? &s->capture->last : &s->last;
  if (s->capture && (op.kind == COPY_IN || op.kind == COPY_OUT))
    COMPLAIN("a copy between host and device was captured: a replay would repeat it from the same place");
  if (*last) (*last)->next = copy; else *first = copy;
  *last = copy;
  return OK;
}

// Of memory that a stream has still to read: whoever changes it meanwhile, copies something else than was asked for.
static unsigned digest(const char *at, size_t bytes) {
  unsigned sum = 2166136261u;
  for (size_t i = 0; i < bytes; i++) sum = (sum ^ (unsigned char)at[i]) * 16777619u;
  return sum;
}

static void check(const void *at, size_t bytes, int pinned, const char *what) {
  struct piece found;
  if (!holding(at, bytes, pinned, &found)) COMPLAIN("%s uses %zu bytes at %p, which are not %s memory", what, bytes, at, pinned ? "pinned" : "device");
}

static void collect(struct op *op);
static int waits_for_ever(struct stream *s);

static void act(struct op *op) {
  switch (op->kind) {
    case COPY_IN:
      check(op->from, op->bytes, 1, "a copy to the device");
      check(op->to, op->bytes, 0, "a copy to the device");
      if (digest(op->from, op->bytes) != op->digest) COMPLAIN("%zu bytes of pinned memory changed before they were copied", op->bytes);
      memcpy(op->to, op->from, op->bytes);
      break;
    case COPY_OUT:
      check(op->from, op->bytes, 0, "a copy to the host");
      check(op->to, op->bytes, 1, "a copy to the host");
      memcpy(op->to, op->from, op->bytes);
      break;
    case COPY:
      for (size_t row = 0; row < op->rows; row++) {
        check(op->from + row * op->from_pitch, op->bytes, 0, "a copy on the device");
        check(op->to + row * op->to_pitch, op->bytes, 0, "a copy on the device");
        memmove(op->to + row * op->to_pitch, op->from + row * op->from_pitch, op->bytes);
      }
      break;
    case FILL:
      check(op->to, op->bytes, 0, "a fill");
      memset(op->to, op->value, op->bytes);
      break;
    case LAUNCH:
      for (int i = 0; i < op->module->kernel->views; i++) {
        struct view view = op->module->kernel->view[i];
        char *at = *(char **)(op->arguments + view.at);
        long length = *(long *)(op->arguments + view.length_at);
        check(at, length > 0 ? 1 : 0, 0, op->module->kernel->name);
      }
      kernels_run(op->module->kernel, op->grid, op->group, op->arguments);
      break;
    case EVENT: op->event->done = 1; break;
    case GRAPH: break;
    case REDUCE: case GATHER: case EXCHANGE: collect(op); break;
  }
}

// A graph's operations take its place at the head of the stream, one by one: whoever lets another stream go on while it waits for a rank can
// stop after any of them. (Done in one piece, a second collective would wait for the rank that waits below it on this very stack.)
static void unfold(struct stream *s, struct graph *graph) {
  struct op *first = NULL, *last = NULL;
  for (struct op *one = graph->first; one; one = one->next) {
    struct op *copy = malloc(sizeof *copy);
    *copy = *one;
    copy->is_replayed = 1;
    copy->graph = one->next ? NULL : graph;
    copy->next = NULL;
    if (last) last->next = copy; else first = copy;
    last = copy;
  }
  if (!first) { ADD(graph->pending, -1); return; }
  last->next = s->first;
  s->first = first;
  if (!s->last) s->last = last;
}

// The first operation of a stream; under the lock, which is given up meanwhile.
static void step(struct stream *s) {
  struct op *op = s->first;
  s->first = op->next;
  if (!s->first) s->last = NULL;
  if (op->kind == GRAPH) unfold(s, op->graph);
  pthread_mutex_unlock(&lock);
  act(op);
  pthread_mutex_lock(&lock);
  if (op->is_replayed) { if (op->graph) ADD(op->graph->pending, -1); }
  else {
    if (op->kind == LAUNCH) ADD(op->module->pending, -1);
    free(op->arguments);
    free(op->messages);
  }
  free(op);
}

// Until an event, or all of it.
static void flush(struct stream *s, struct event *until) {
  pthread_mutex_lock(&lock);
  if (waits_for_ever(s)) { COMPLAIN("a wait for a stream that waits for a lost rank"); pthread_mutex_unlock(&lock); return; }
  while (s->busy) pthread_cond_wait(&idle, &lock);
  s->busy = 1;
  while (s->first && !(until && until->done)) step(s);
  s->busy = 0;
  pthread_cond_broadcast(&idle);
  pthread_mutex_unlock(&lock);
}

static int is_stream(struct stream *s) {
  int device = -1;
  LOCKED(for (struct stream *one = streams; one; one = one->next) if (one == s) device = one->device);
  if (device < 0) COMPLAIN("%p is no stream", (void *)s);
  else if (device != current) COMPLAIN("a stream of device %d used on device %d", device, current);
  return device == current;
}

static int quiet(const char *what) {
  int captured = 0;
  LOCKED(for (struct stream *s = streams; s; s = s->next) if (s->device == current && s->capture) captured = 1);
  if (captured) COMPLAIN("%s while a stream is captured", what);
  return !captured;
}

// The device's next stream after one (NULL: the first): other devices' may come and go meanwhile.
static struct stream *next_here(struct stream *after) {
  struct stream *s;
  LOCKED(s = after ? after->next : streams; while (s && s->device != current) s = s->next);
  return s;
}

#define ENTER(what) if (lost) return lost
#define ON(s) if (!is_stream(s)) return INVALID

// ---- devices ----
#ifdef HIP
// hip_runtime_api.h, hipDeviceProp_tR0600, as far as the last field that is read.
struct properties {
  char name[256];
  char uuid[16];
  char luid[8];
  unsigned int luidDeviceNodeMask;
  size_t totalGlobalMem;
  size_t sharedMemPerBlock;
  int regsPerBlock;
  int warpSize;
  size_t memPitch;
  int maxThreadsPerBlock;
  int maxThreadsDim[3];
  int maxGridSize[3];
  int clockRate;
  size_t totalConstMem;
  int major;
  int minor;
  size_t textureAlignment;
  size_t texturePitchAlignment;
  int deviceOverlap;
  int multiProcessorCount;
  char others[1160 - 392];
  char gcnArchName[256];
  char more[56];
};
_Static_assert(offsetof(struct properties, gcnArchName) == 1160 && sizeof(struct properties) == 1472, "hipDeviceProp_tR0600");
int hipGetDeviceCount(int *count) { ENTER(); *count = devices; return devices ? OK : NO_DEVICE; }
int hipSetDevice(int device) { ENTER(); if (device >= devices) return 101; current = device; return OK; }
int hipGetDevicePropertiesR0600(struct properties *p, int device) {
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "Fake Instinct %d", device);
  snprintf(p->gcnArchName, sizeof p->gcnArchName, "%s:sramecc+:xnack-", architecture);
  p->totalGlobalMem = memory_limit;
  p->sharedMemPerBlock = 64 << 10;
  p->warpSize = 64;
  p->multiProcessorCount = 4;
  return OK;
}
int hipDeviceGetUuid(char *uuid, int device) { char all[17]; snprintf(all, 17, "00000000000000f%d", device); memcpy(uuid, all, 16); return OK; }
int hipRuntimeGetVersion(int *version) { *version = 60342134; return OK; }
const char *hipGetErrorName(int error) { return error == 2 ? "hipErrorOutOfMemory" : error == 209 ? "hipErrorNoBinaryForGpu" : "hipErrorUnknown"; }
int hipMemcpy2DAsync(char *to, size_t to_pitch, char *from, size_t from_pitch, size_t width, size_t height, int kind, struct stream *s) {
  ENTER(); ON(s);
  if (kind != 3 || width > to_pitch || width > from_pitch) return INVALID;
  LOCKED(enqueue(s, (struct op){ .kind = COPY, .to = to, .from = from, .bytes = width, .to_pitch = to_pitch, .from_pitch = from_pitch, .rows = height }));
  return OK;
}
#else
static int initialized;
int cuInit(unsigned flags) { ENTER(); initialized = flags == 0; return devices ? OK : NO_DEVICE; }
int cuDeviceGetCount(int *count) { ENTER(); *count = devices; return initialized ? OK : 3; }
int cuDeviceGet(int *device, int ordinal) { ENTER(); *device = ordinal + 40; return ordinal < devices ? OK : 101; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Fake H%d00", device - 39); return OK; }
int cuDeviceGetUuid_v2(char *uuid, int device) { for (int i = 0; i < 16; i++) uuid[i] = i; uuid[15] = device - 40; return OK; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = memory_limit; return device >= 40 ? OK : 101; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  int major, minor;
  if (device < 40 || sscanf(architecture, "sm_%1d%1d", &major, &minor) != 2) return INVALID;
  switch (attribute) { case 8: *value = 48 << 10; return OK; case 16: *value = 4; return OK; case 75: *value = major; return OK; case 76: *value = minor; return OK; }
  return INVALID;
}
int cuDriverGetVersion(int *version) { *version = 12080; return OK; }
int cuDevicePrimaryCtxRetain(void **context, int device) { ENTER(); *context = (void *)(intptr_t)(device + 1000); return OK; }
int cuDevicePrimaryCtxRelease_v2(int device) { return device >= 40 ? OK : 101; }
int cuCtxSetCurrent(void *context) { ENTER(); current = (int)(intptr_t)context - 1040; return current >= 0 && current < devices ? OK : 201; }
int cuGetErrorName(int error, const char **name) { *name = error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : error == 209 ? "CUDA_ERROR_NO_BINARY_FOR_GPU" : error == 218 ? "CUDA_ERROR_INVALID_PTX" : "CUDA_ERROR_UNKNOWN"; return OK; }
// cuda.h, CUDA_MEMCPY2D_v2.
struct copy2d {
  size_t srcXInBytes, srcY; int srcMemoryType; const void *srcHost; char *srcDevice; void *srcArray; size_t srcPitch;
  size_t dstXInBytes, dstY; int dstMemoryType; void *dstHost; char *dstDevice; void *dstArray; size_t dstPitch;
  size_t WidthInBytes, Height;
};
int cuMemcpy2DAsync_v2(const struct copy2d *c, struct stream *s) {
  ENTER(); ON(s);
  if (c->srcMemoryType != 2 || c->dstMemoryType != 2 || c->WidthInBytes > c->srcPitch || c->WidthInBytes > c->dstPitch) return INVALID;
  LOCKED(enqueue(s, (struct op){ .kind = COPY, .to = c->dstDevice, .from = c->srcDevice, .bytes = c->WidthInBytes, .to_pitch = c->dstPitch, .from_pitch = c->srcPitch, .rows = c->Height }));
  return OK;
}
#endif

int NAME(hipMemGetInfo, cuMemGetInfo_v2)(size_t *available, size_t *total) { ENTER(); *available = memory_limit - memory_used; *total = memory_limit; return OK; }
int NAME(hipMalloc, cuMemAlloc_v2)(void **at, size_t bytes) { ENTER(); return quiet("memory taken") ? take(at, bytes, 0) : CAPTURING; }
int NAME(hipFree, cuMemFree_v2)(void *at) {
  int r;
  if (!quiet("memory given back")) return CAPTURING;
  for (struct stream *s = next_here(NULL); s && !lost; s = next_here(s)) flush(s, NULL);
  r = give_back(at, 0);
  return r;
}
int NAME(hipHostMalloc, cuMemHostAlloc)(void **at, size_t bytes, unsigned flags) { ENTER(); return flags ? INVALID : take(at, bytes, 1); }
int NAME(hipHostFree, cuMemFreeHost)(void *at) { return give_back(at, 1); }
int NAME(hipMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2)(char *to, char *from, size_t bytes, struct stream *s) {
  ENTER(); ON(s); LOCKED(enqueue(s, (struct op){ .kind = COPY_IN, .to = to, .from = from, .bytes = bytes, .digest = digest(from, bytes) })); return OK;
}
int NAME(hipMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2)(char *to, char *from, size_t bytes, struct stream *s) {
  ENTER(); ON(s); LOCKED(enqueue(s, (struct op){ .kind = COPY_OUT, .to = to, .from = from, .bytes = bytes })); return OK;
}
int NAME(hipMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2)(char *to, char *from, size_t bytes, struct stream *s) {
  ENTER(); ON(s); LOCKED(enqueue(s, (struct op){ .kind = COPY, .to = to, .from = from, .bytes = bytes, .rows = 1 })); return OK;
}
int NAME(hipMemsetD8Async, cuMemsetD8Async)(char *to, unsigned char value, size_t bytes, struct stream *s) {
  ENTER(); ON(s); LOCKED(enqueue(s, (struct op){ .kind = FILL, .to = to, .value = value, .bytes = bytes })); return OK;
}
int NAME(hipStreamCreateWithFlags, cuStreamCreate)(struct stream **s, unsigned flags) {
  ENTER();
  if (flags != 1) COMPLAIN("a stream that waits for the default stream");
  *s = calloc(1, sizeof **s);
  (*s)->device = current;
  LOCKED((*s)->next = streams; streams = *s);
  return OK;
}
int NAME(hipStreamDestroy, cuStreamDestroy_v2)(struct stream *s) {
  if (s->first && !lost) COMPLAIN("a stream was destroyed before its work was done");
  LOCKED(for (struct stream **p = &streams; *p; p = &(*p)->next) if (*p == s) { *p = s->next; break; });
  free(s);
  return OK;
}
int NAME(hipStreamSynchronize, cuStreamSynchronize)(struct stream *s) { ENTER(); ON(s); if (!quiet("a wait for a stream")) return CAPTURING; flush(s, NULL); return OK; }
int NAME(hipStreamBeginCapture, cuStreamBeginCapture_v2)(struct stream *s, int mode) {
  ENTER(); ON(s);
  if (s->capture || mode < 0 || mode > 2) return INVALID;
  s->capture = calloc(1, sizeof *s->capture);
  return OK;
}
int NAME(hipStreamEndCapture, cuStreamEndCapture)(struct stream *s, struct graph **graph) {
  ENTER(); ON(s);
  *graph = s->capture;
  s->capture = NULL;
  if (captures_fail[current]) { *graph = NULL; return 901; }
  return *graph ? OK : INVALID;
}
int NAME(hipGraphInstantiateWithFlags, cuGraphInstantiateWithFlags)(struct graph **executable, struct graph *graph, unsigned long long flags) {
  ENTER();
  *executable = calloc(1, sizeof **executable);
  **executable = *graph;
  return flags ? INVALID : OK;
}
// The operations stay with the executable.
int NAME(hipGraphDestroy, cuGraphDestroy)(struct graph *graph) { free(graph); return OK; }
int NAME(hipGraphExecDestroy, cuGraphExecDestroy)(struct graph *graph) {
  if (graph->pending && !lost) COMPLAIN("a graph was destroyed before it ran");
  free(graph);
  return OK;
}
int NAME(hipGraphLaunch, cuGraphLaunch)(struct graph *graph, struct stream *s) {
  ENTER(); ON(s);
  ADD(graph->pending, 1);
  ADD(replays, 1);
  LOCKED(enqueue(s, (struct op){ .kind = GRAPH, .graph = graph }));
  return OK;
}
int NAME(hipEventCreateWithFlags, cuEventCreate)(struct event **e, unsigned flags) { ENTER(); *e = calloc(1, sizeof **e); return flags == 2 ? OK : INVALID; }
int NAME(hipEventDestroy, cuEventDestroy_v2)(struct event *e) { free(e); return OK; }
int NAME(hipEventRecord, cuEventRecord)(struct event *e, struct stream *s) {
  ENTER(); ON(s); *e = (struct event){ 1, 0 }; LOCKED(enqueue(s, (struct op){ .kind = EVENT, .event = e })); return OK;
}
int NAME(hipEventSynchronize, cuEventSynchronize)(struct event *e) {
  ENTER();
  if (!e->recorded) COMPLAIN("a wait for an event that was never recorded");
  for (struct stream *s = next_here(NULL); s && !e->done; s = next_here(s)) flush(s, e);
  return OK;
}
int NAME(hipEventQuery, cuEventQuery)(struct event *e) {
  ENTER();
  if (!e->recorded) COMPLAIN("a question for an event that was never recorded");
  for (struct stream *s = next_here(NULL); s && !e->done; s = next_here(s)) {
    int for_ever;
    LOCKED(for_ever = waits_for_ever(s));
    if (!for_ever) flush(s, e);
  }
  return e->done ? OK : NOT_READY;
}
int NAME(hipModuleLoadDataEx, cuModuleLoadDataEx)(struct module **module, const char *image, unsigned options, int *names, void **values) {
  ENTER();
  if (!quiet("a module loaded")) return CAPTURING;
  char log[1024] = "";
  int error;
  struct kernel *kernel;
  LOCKED(kernel = kernels_load(image, architecture, log, sizeof log, &error));
  for (unsigned i = 0; i < options; i++)
    if (names[i] == 5) for (unsigned j = 0; j < options; j++) if (names[j] == 6) snprintf(values[i], (size_t)values[j], "%s", log);
  if (!kernel) { say("refused", "%s", log); return error; }
  *module = calloc(1, sizeof **module);
  **module = (struct module){ kernel, current, 0 };
  return OK;
}
int NAME(hipModuleUnload, cuModuleUnload)(struct module *module) {
  if (module->pending && !lost) COMPLAIN("the module of %s was unloaded before it ran", module->kernel->name);
  free(module);
  return OK;
}
int NAME(hipModuleGetFunction, cuModuleGetFunction)(struct module **function, struct module *module, const char *name) {
  ENTER(); *function = module; return strcmp(name, module->kernel->name) ? NOT_FOUND : OK;
}
int NAME(hipModuleLaunchKernel, cuLaunchKernel)(struct module *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                                unsigned bz, unsigned shared, struct stream *s, void **parameters, void **extra) {
  ENTER(); ON(s);
  struct kernel *k = f->kernel;
  if (parameters || !extra || extra[0] != (void *)1 || extra[2] != (void *)2 || extra[4] != (void *)END_OF_EXTRA) return INVALID;
  size_t size = *(size_t *)extra[3];
  if (size != (size_t)k->bytes) COMPLAIN("%s got %zu bytes of arguments, not %d", k->name, size, k->bytes);
  if (bx != k->group[0] || by != k->group[1] || bz != 1 || shared || !gx || !gy || !gz || gy > 65535 || gz > 65535)
    COMPLAIN("%s launched as %u,%u,%u groups of %u,%u,%u", k->name, gx, gy, gz, bx, by, bz);
  ADD(launches, 1);
  ADD(f->pending, !s->capture);
  char *arguments = memcpy(malloc(size + 64), extra[1], size);
  LOCKED(enqueue(s, (struct op){ .kind = LAUNCH, .module = f, .grid = { gx, gy, gz }, .group = { bx, by, bz }, .arguments = arguments }));
  return OK;
}

#include "ranks.h"
