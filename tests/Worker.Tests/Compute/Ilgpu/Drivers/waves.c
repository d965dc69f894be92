// Runs a kernel that clang has compiled for this processor (wave.h) as an AMD GPU would: groups one after another, each thread of a group with a
// stack of its own, waves of 64 lanes that exchange values. Linked to each kernel; see RunningCompiler.cs.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __x86_64__
#error "threads of a group are switched by x86-64's registers here"
#endif

enum { LANES = 64, MOST = 256, STACK = 128 << 10 };

void fake_enter(char *arguments);  // the kernel, with its arguments taken from the block

struct lane { void *stack, *memory; int done; };
struct wave { int arrived, round; unsigned long values[2][LANES][2]; };
static struct lane lanes[MOST];
static struct wave waves[MOST / LANES];
static const unsigned *grid, *size;
static unsigned at[3];
static int now, threads, arrived, round_of_group, progress;
static char *block, *complaint;
static void *scheduler;

__attribute__((naked, noinline)) static void switch_to(void **save, void *load) {
  (void)save, (void)load;
  __asm__("pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\nmovq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
          "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret");
}

static void yield(void) { switch_to(&lanes[now].stack, scheduler); }

static void begin(void) {
  fake_enter(block);
  lanes[now].done = 1;
  progress = 1;
  yield();
}

unsigned fake_local_id(unsigned d) { return d == 0 ? now % size[0] : d == 1 ? now / size[0] % size[1] : now / (size[0] * size[1]); }
unsigned fake_group_id(unsigned d) { return at[d]; }
unsigned fake_groups(unsigned d) { return grid[d]; }
unsigned fake_threads(unsigned d) { return size[d]; }

void fake_barrier(void) {
  int round = round_of_group;
  progress = 1;
  if (++arrived == threads) { arrived = 0; round_of_group++; return; }
  while (round == round_of_group) yield();
}

// What all lanes of the wave give; the array stays as it is until each of them has given the next but one.
static unsigned long (*exchange(unsigned long a, unsigned long b))[2] {
  struct wave *w = &waves[now / LANES];
  int round = w->round;
  unsigned long (*values)[2] = w->values[round & 1];
  values[now % LANES][0] = a;
  values[now % LANES][1] = b;
  progress = 1;
  if (++w->arrived == LANES) { w->arrived = 0; w->round++; }
  else while (round == w->round) yield();
  return values;
}

// Data-parallel primitives (CDNA3 ISA, 7.4): quad_perm, row_mirror, row_half_mirror.
int fake_dpp(int value, int control) {
  unsigned long (*values)[2] = exchange((unsigned)value, 0);
  int lane = now % LANES, from = -1;
  if (control < 0x100) from = lane / 4 * 4 + (control >> lane % 4 * 2 & 3);
  else if (control == 0x140) from = lane / 16 * 16 + 15 - lane % 16;
  else if (control == 0x141) from = lane / 8 * 8 + 7 - lane % 8;
  else complaint = "an unknown data-parallel primitive";
  return (int)values[from < 0 ? lane : from][0];
}
int fake_lane(int value, int lane) { return (int)exchange((unsigned)value, 0)[lane][0]; }
// Bit mode: within 32 lanes, and, or, exclusive or.
int fake_swizzle(int value, int pattern) {
  unsigned long (*values)[2] = exchange((unsigned)value, 0);
  int lane = now % LANES;
  if (pattern & 0x8000) complaint = "an unknown swizzle";
  return (int)values[lane / 32 * 32 + (((lane % 32 & pattern & 31) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31))][0];
}
int fake_permute(int address, int value) { return (int)exchange((unsigned)value, 0)[address / 4 % LANES][0]; }

static float f(unsigned bits) { float v; memcpy(&v, &bits, 4); return v; }
static float wide(unsigned long bits, int index, int is_half) {
  unsigned half = bits >> 16 * index & 0xffff;
  if (!is_half) return f(half << 16);
  _Float16 v;
  unsigned short s = half;
  memcpy(&v, &s, 2);
  return (float)v;
}
// v_mfma_f32_16x16x{4,16}: lane l has A[l % 16][k] and B[k][l % 16] for the depth / 4 values k from depth / 4 · (l / 16) on, and D[4 · (l / 16) + i][l % 16].
void fake_mfma(int depth, int is_half, unsigned long a, unsigned long b, float *c) {
  unsigned long (*values)[2] = exchange(a, b);
  int lane = now % LANES;
  for (int i = 0; i < 4; i++) {
    int row = 4 * (lane / 16) + i;
    for (int k = 0; k < depth; k++) {
      int sharer = k / (depth / 4) * 16, index = k % (depth / 4);
      unsigned long left = values[row + sharer][0], right = values[lane % 16 + sharer][1];
      c[i] = depth == 4 ? fmaf(f(left), f(right), c[i]) : fmaf(wide(left, index, is_half), wide(right, index, is_half), c[i]);
    }
  }
}

// NULL, or what went wrong.
const char *fake_run(const unsigned *groups, const unsigned *threads_of_group, char *arguments) {
  grid = groups;
  size = threads_of_group;
  block = arguments;
  complaint = NULL;
  threads = size[0] * size[1] * size[2];
  if (threads > MOST || size[0] != LANES) return "a group that is not of whole waves";
  for (at[2] = 0; at[2] < grid[2]; at[2]++)
    for (at[1] = 0; at[1] < grid[1]; at[1]++)
      for (at[0] = 0; at[0] < grid[0]; at[0]++) {
        memset(waves, 0, sizeof waves);
        arrived = 0;
        for (int t = 0; t < threads; t++) {
          if (!lanes[t].memory) lanes[t].memory = aligned_alloc(64, STACK);
          void **top = (void **)((char *)lanes[t].memory + STACK - 64);
          *top = (void *)begin;  // where the first switch returns to; above it, as a call would leave the stack
          lanes[t].stack = top - 6;
          lanes[t].done = 0;
        }
        for (int left = threads; left;) {
          progress = left = 0;
          for (now = 0; now < threads; now++) {
            if (lanes[now].done) continue;
            switch_to(&scheduler, lanes[now].stack);
            left += !lanes[now].done;
          }
          if (left && !progress) return "threads that wait for others which have ended, or wait elsewhere";
        }
        if (complaint) return complaint;
      }
  return NULL;
}
