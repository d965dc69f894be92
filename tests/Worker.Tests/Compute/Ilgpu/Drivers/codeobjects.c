// Kernels of code objects for AMD GPUs: what their metadata says is read here once more. Where the OpenCL C they were made of follows the
// ELF file, and there is OpenCL, they run; else launches are only counted.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

struct argument { long offset, size; char kind[32]; };
struct metadata { char target[64], name[256]; long group[3], arguments; struct argument argument[64]; };

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

// ---- OpenCL, by its documented numbers ----
static void *context, *device, *queue;
#define CALL(result, name, ...) (((result (*)(__VA_ARGS__))dlsym(opencl, #name)))
static void *opencl;

static int has_opencl(void) {
  if (queue || opencl == (void *)-1) return queue != NULL;
  void *platform;
  int error = -1;
  opencl = getenv("FAKE_GPU_RUNS") ? dlopen("libOpenCL.so.1", RTLD_NOW) : NULL;
  if (opencl && !CALL(int, clGetPlatformIDs, unsigned, void **, unsigned *)(1, &platform, NULL)
      && !CALL(int, clGetDeviceIDs, void *, unsigned long, unsigned, void **, unsigned *)(platform, 0xffffffff, 1, &device, NULL)) {
    context = CALL(void *, clCreateContext, void *, unsigned, void **, void *, void *, int *)(NULL, 1, &device, NULL, NULL, &error);
    queue = CALL(void *, clCreateCommandQueueWithProperties, void *, void *, void *, int *)(context, device, NULL, &error);
  }
  if (!queue) opencl = (void *)-1;
  return queue != NULL;
}

void *kernels_alloc(size_t bytes) {
  return has_opencl() ? CALL(void *, clSVMAlloc, void *, unsigned long, size_t, unsigned)(context, 1, bytes, 256) : aligned_alloc(256, (bytes + 255) / 256 * 256);
}
void kernels_free(void *p) { if (has_opencl()) CALL(void, clSVMFree, void *, void *)(context, p); else free(p); }

struct code { void *kernel; struct metadata metadata; };

struct kernel *kernels_load(const char *image, const char *architecture, char *log, size_t log_bytes, int *error) {
  const unsigned char *elf = (const unsigned char *)image;
  *error = 200;
  if (memcmp(elf, "\177ELF", 4)) { snprintf(log, log_bytes, "no ELF file"); return NULL; }
  struct kernel *k = calloc(1, sizeof *k);
  struct code *code = k->code = calloc(1, sizeof *code);
  struct metadata *m = &code->metadata;
  uint64_t headers = *(uint64_t *)(elf + 32), sections = *(uint64_t *)(elf + 40);
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
  if (pointers != k->views) { snprintf(log, log_bytes, "%d pointers, %d views", pointers, k->views); return NULL; }
  uint64_t end = sections + *(uint16_t *)(elf + 58) * *(uint16_t *)(elf + 60);
  const char *source = image + end;
  if (has_opencl() && !strncmp(source, "//SOURCE", 8)) {
    int result;
    void *program = CALL(void *, clCreateProgramWithSource, void *, unsigned, const char **, size_t *, int *)(context, 1, &source, NULL, &result);
    result = CALL(int, clBuildProgram, void *, unsigned, void **, const char *, void *, void *)(program, 1, &device, "-cl-std=CL3.0", NULL, NULL);
    if (!result) code->kernel = CALL(void *, clCreateKernel, void *, const char *, int *)(program, k->name, &result);
    if (result) { snprintf(log, log_bytes, "OpenCL cannot build %s: %d", k->name, result); return NULL; }
  }
  return k;
}

void kernels_run(struct kernel *k, const unsigned *grid, const unsigned *group, const char *arguments) {
  struct code *code = k->code;
  if (!code->kernel) return;
  int error = 0;
  for (int i = 0; i < code->metadata.arguments; i++) {
    struct argument *a = &code->metadata.argument[i];
    error |= strcmp(a->kind, "global_buffer")
      ? CALL(int, clSetKernelArg, void *, unsigned, size_t, const void *)(code->kernel, i, a->size, arguments + a->offset)
      : CALL(int, clSetKernelArgSVMPointer, void *, unsigned, const void *)(code->kernel, i, *(void **)(arguments + a->offset));
  }
  size_t global[3], local[3];
  for (int i = 0; i < 3; i++) { local[i] = group[i]; global[i] = (size_t)grid[i] * group[i]; }
  error |= CALL(int, clEnqueueNDRangeKernel, void *, void *, unsigned, size_t *, size_t *, size_t *, unsigned, void *, void *)(queue, code->kernel, 3, NULL, global, local, 0, NULL, NULL);
  error |= CALL(int, clFinish, void *)(queue);
  if (error) fprintf(stderr, "OpenCL failed at %s: %d\n", k->name, error);
}
