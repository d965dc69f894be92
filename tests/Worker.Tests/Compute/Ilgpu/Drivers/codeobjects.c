// Kernels of code objects for AMD GPUs: what their metadata says is read here once more. Those compute that were registered with a program for
// this processor, made of the same text (RunningCompiler.cs); of the others launches are counted.
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

struct argument { long offset, size; char kind[32]; };
typedef const char *(*program_run)(const unsigned *grid, const unsigned *group, const char *arguments);
struct metadata { char target[64], name[256]; long group[3], arguments; struct argument argument[64]; program_run run; };
struct program { unsigned digest; program_run run; struct program *next; };
static struct program *programs;
static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER;

// Of what a code object's section headers follow.
static unsigned digest_of(const unsigned char *elf) {
  unsigned sum = 2166136261u;
  for (uint64_t i = 0, end = *(uint64_t *)(elf + 40); i < end; i++) sum = (sum ^ elf[i]) * 16777619u;
  return sum;
}

const char *fake_register(const unsigned char *image, const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
  struct program *p = malloc(sizeof *p);
  *p = (struct program){ digest_of(image), (program_run)dlsym(library, "fake_run"), programs };
  programs = p;
  return NULL;
}

static const unsigned char *at;
static long number(int bytes) { long value = 0; while (bytes--) value = value << 8 | *at++; return value; }

// Walks one value; what it is called decides where it goes.
static long value(struct metadata *m, const char *key, int index) {
  unsigned code = *at++;
  long count = -1;
  if (code <= 0x7f) { if (!strcmp(key, ".offset")) m->argument[m->arguments].offset = code; else if (!strcmp(key, ".size")) m->argument[m->arguments].size = code; else if (!strcmp(key, ".reqd_workgroup_size")) m->group[index] = code; return code; }
  if (code >= 0xcc && code <= 0xcf) { long n = number(1 << (code - 0xcc)); if (!strcmp(key, ".offset")) m->argument[m->arguments].offset = n; else if (!strcmp(key, ".reqd_workgroup_size")) m->group[index] = n; return n; }
  if ((code & 0xe0) == 0xa0 || (code >= 0xd9 && code <= 0xdb)) {
    count = (code & 0xe0) == 0xa0 ? code & 0x1f : number(1 << (code - 0xd9));
    char *to = !strcmp(key, "amdhsa.target") ? m->target : !strcmp(key, ".name") && !m->name[0] ? NULL : !strcmp(key, ".value_kind") ? m->argument[m->arguments].kind : NULL;
    int room = to == m->target ? 64 : 32;
    if (!strcmp(key, ".symbol")) { snprintf(m->name, sizeof m->name, "%.*s", (int)count, at); m->name[strcspn(m->name, ".")] = 0; }
    if (to) snprintf(to, room, "%.*s", (int)count, at);
    at += count;
    return 0;
  }
  if ((code & 0xf0) == 0x90 || code == 0xdc || code == 0xdd) {
    count = (code & 0xf0) == 0x90 ? code & 0xf : number(2 << (code - 0xdc));
    for (int i = 0; i < count; i++) {
      value(m, key, i);
      if (!strcmp(key, ".args")) m->arguments++;
    }
    return 0;
  }
  if ((code & 0xf0) == 0x80 || code == 0xde || code == 0xdf) {
    count = (code & 0xf0) == 0x80 ? code & 0xf : number(2 << (code - 0xde));
    for (int i = 0; i < count; i++) {
      unsigned c = *at++;
      int length = (c & 0xe0) == 0xa0 ? c & 0x1f : number(1 << (c - 0xd9));
      char name[64];
      snprintf(name, sizeof name, "%.*s", length, at);
      at += length;
      value(m, name, 0);
    }
    return 0;
  }
  return 0;
}

void *kernels_alloc(size_t bytes) { return aligned_alloc(256, (bytes + 255) / 256 * 256); }
void kernels_free(void *p) { free(p); }

struct kernel *kernels_load(const char *image, const char *architecture, char *log, size_t log_bytes, int *error) {
  const unsigned char *elf = (const unsigned char *)image;
  *error = 200;
  if (memcmp(elf, "\177ELF", 4)) { snprintf(log, log_bytes, "no ELF file"); return NULL; }
  struct kernel *k = calloc(1, sizeof *k);
  struct metadata *m = k->code = calloc(1, sizeof *m);
  uint64_t headers = *(uint64_t *)(elf + 32);
  for (int i = 0; i < *(uint16_t *)(elf + 56); i++) {
    const unsigned char *h = elf + headers + i * *(uint16_t *)(elf + 54);
    if (*(uint32_t *)h == 4) {
      const unsigned char *note = elf + *(uint64_t *)(h + 8);
      at = note + 12 + (*(uint32_t *)note + 3) / 4 * 4;
      value(m, "", 0);
    }
  }
  char target[128];
  snprintf(target, sizeof target, "amdgcn-amd-amdhsa--%s", architecture);
  *error = 209;
  if (strcmp(m->target, target)) { snprintf(log, log_bytes, "image for %s, device %s", m->target, target); return NULL; }
  snprintf(k->name, sizeof k->name, "%s", m->name);
  for (int i = 0; i < 3; i++) k->group[i] = m->group[i];
  // Pointers of views come first, then all parameters: a view is the one with 16 bytes.
  int pointers = 0;
  for (int i = 0; i < m->arguments; i++) {
    struct argument *a = &m->argument[i];
    if (!strncmp(a->kind, "hidden_", 7)) { m->arguments = i; break; }
    if (a->offset + a->size > k->bytes) k->bytes = a->offset + a->size;
    if (!strcmp(a->kind, "global_buffer")) pointers++;
    else if (a->size == 16) k->view[k->views] = (struct view){ m->argument[k->views].offset, a->offset + 8 }, k->views++;
  }
  for (struct program *p = programs; p && !m->run; p = p->next) if (p->digest == digest_of(elf)) m->run = p->run;
  if (pointers != k->views) { snprintf(log, log_bytes, "%d pointers, %d views", pointers, k->views); return NULL; }
  return k;
}

void kernels_run(struct kernel *k, const unsigned *grid, const unsigned *group, const char *arguments) {
  struct metadata *m = k->code;
  if (!m->run) return;
  pthread_mutex_lock(&running);
  const char *wrong = m->run(grid, group, arguments);
  pthread_mutex_unlock(&running);
  if (wrong) fake_complain("%s: %s", k->name, wrong);
}
