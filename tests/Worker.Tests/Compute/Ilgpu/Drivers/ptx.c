// Kernels of PTX, interpreted: the instructions that our compiler writes, every thread of a group in turn from barrier to barrier, and the 32 lanes
// of a warp from one matrix instruction or exchange to the next. Every access to memory is checked. What is not known here is refused as a driver refuses what
// is no PTX. Layouts of fragments are those of the PTX ISA's chapter on mma.m16n8k16.
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels.h"

enum operation { MOV, ADD, SUB, MUL, MUL_WIDE, MAD, FMA, SHL, SHR, AND, OR, XOR, NOT, NEG, SETP, SELP, CVT, LOAD, STORE, BAR, BRA, RET, REM, DIV, RCP, SQRT, RED, ATOM, MEMBAR, MIN, MAX, MMA, EXCHANGE, COPY, CLOSE, AWAIT, PACK, FMA_PAIR, LOP3, PRMT };
enum space { PARAM, GLOBAL, SHARED, LOCAL };
enum comparison { EQ, NE, LT, LE, GT, GE };
// A type: how it is read (u, s, f, b, p) and its bytes.
struct type { char kind; int bytes; };
struct operand { enum { REGISTER, IMMEDIATE, SHARED_AT, LOCAL_AT, PARAM_AT, TID, CTAID, NTID, NCTAID } kind; int index; uint64_t value; };
struct instruction {
  enum operation op;
  struct type type, from;
  enum space space;
  enum comparison comparison;
  int unordered, width, predicate, negated, target, line, rounds, is_half;
  struct operand a[14];
  const char *low, *high;  // memory that was found here last
};
struct code { struct instruction *all; int count, registers; int shared, local; };

static const char *failed;
static char why[512];
static int line_number, processor;
static struct instruction *fail(const char *what, const char *text) {
  if (!failed) { snprintf(why, sizeof why, "line %d: %s '%s'", line_number, what, text); failed = why; }
  return NULL;
}

struct name { char text[64]; enum { A_REGISTERS, A_SHARED, A_LOCAL, A_PARAM, A_LABEL } kind; int value; };
static struct name names[8192];
static int name_count;
static struct name *find(const char *text, size_t length) {
  for (int i = name_count; i-- > 0;)
    if (strlen(names[i].text) == length && !strncmp(names[i].text, text, length)) return &names[i];
  return NULL;
}
static void declare(const char *text, size_t length, int kind, int value) {
  if (name_count == 8192 || length > 63) { fail("too many names at", text); return; }
  struct name *n = &names[name_count++];
  memcpy(n->text, text, length);
  n->text[length] = 0;
  n->kind = kind;
  n->value = value;
}

static struct type type_of(const char *text) {
  if (!strcmp(text, "pred")) return (struct type){ 'p', 1 };
  if (!strchr("usfb", *text) || !isdigit(text[1])) fail("no type", text);
  return (struct type){ *text, atoi(text + 1) / 8 };
}

static struct operand operand_of(char *text) {
  static const char *specials[] = { "%tid.", "%ctaid.", "%ntid.", "%nctaid." };
  while (isspace(*text)) text++;
  size_t length = strcspn(text, " \t,;+]}");
  for (int i = 0; i < 4; i++)
    if (!strncmp(text, specials[i], strlen(specials[i]))) return (struct operand){ TID + i, text[strlen(specials[i])] - 'x', 0 };
  if (*text == '%') {
    size_t letters = 1;
    while (isalpha(text[letters])) letters++;
    struct name *n = find(text, letters);
    if (!n) { fail("no register", text); return (struct operand){ 0 }; }
    return (struct operand){ REGISTER, n->value + atoi(text + letters), 0 };
  }
  if (*text == '0' && (text[1] == 'f' || text[1] == 'd')) return (struct operand){ IMMEDIATE, 0, strtoull(text + 2, NULL, 16) };
  if (*text == '-' || isdigit(*text)) return (struct operand){ IMMEDIATE, 0, *text == '-' ? (uint64_t)strtoll(text, NULL, 0) : strtoull(text, NULL, 0) };
  struct name *n = find(text, length);
  if (!n) { fail("no name", text); return (struct operand){ 0 }; }
  return (struct operand){ n->kind == A_SHARED ? SHARED_AT : n->kind == A_LOCAL ? LOCAL_AT : n->kind == A_PARAM ? PARAM_AT : IMMEDIATE, 0, n->value };
}

// "[%rd5+8]": the base, and what is added to it in index.
static struct operand address_of(char *text) {
  struct operand base = operand_of(text + 1);
  char *plus = strchr(text, '+');
  struct operand all = base;
  if (base.kind == REGISTER) all.value = plus ? strtoll(plus + 1, NULL, 0) : 0;
  else all.value += plus ? strtoll(plus + 1, NULL, 0) : 0;
  return all;
}

static int compare_named(const char *text, int *unordered) {
  static const char *all[] = { "eq", "ne", "lt", "le", "gt", "ge", "eq", "ne", "lo", "ls", "hi", "hs" };
  *unordered = strlen(text) == 3 && text[2] == 'u';
  for (int i = 0; i < 12; i++) if (!strncmp(text, all[i], 2)) return i % 6;
  fail("no comparison", text);
  return 0;
}

// What sm_80 brought: mma.sync, cp.async, and arithmetic and conversion of two 16-bit floats at once.
static void decode_newer(struct instruction *i, char **parts, int count, char **operands, int number) {
  char all[256] = "";
  for (int p = 0; p < count; p++) { strncat(all, parts[p], sizeof all - strlen(all) - 2); if (p < count - 1) strcat(all, "."); }
  if (!strcmp(all, "cp.async.commit_group")) { i->op = CLOSE; return; }
  if (!strcmp(all, "cp.async.wait_group")) {
    i->op = AWAIT;
    i->a[0] = operand_of(operands[0]);
    if (i->a[0].kind != IMMEDIATE) fail("not a constant:", operands[0]);
    return;
  }
  if (!strcmp(all, "cp.async.cg.shared.global")) {
    if (number != 3 || atoi(operands[2]) != 16) fail("cp.async.cg copies 16 bytes, in", all);
    i->op = COPY;
    i->a[0] = address_of(operands[0]);
    i->a[4] = address_of(operands[1]);
    i->space = GLOBAL;
    return;
  }
  i->is_half = strstr(all, ".f16") != NULL;
  if (!strcmp(all, "cvt.rn.bf16x2.f32") || !strcmp(all, "cvt.rn.f16x2.f32")) {
    i->op = PACK;
    for (int o = 0; o < 3; o++) i->a[o] = operand_of(operands[o]);
    return;
  }
  if (!strcmp(all, "fma.rn.bf16x2") || !strcmp(all, "fma.rn.f16x2")) {
    for (int o = 0; o < number; o++) if (*operands[o] != '%') fail("a constant in", all);
    i->op = FMA_PAIR;
    for (int o = 0; o < 4; o++) i->a[o] = operand_of(operands[o]);
    return;
  }
  if (strcmp(all, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") && strcmp(all, "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32")) { fail("unknown instruction", all); return; }
  i->op = MMA;
  // d, a, b, c: four registers, four, two and four.
  static const int widths[] = { 4, 4, 2, 4 };
  if (number != 4 || i->predicate >= 0) { fail("four operands and no predicate are needed in", all); return; }
  for (int o = 0, at = 0; o < 4; o++) {
    char *text = operands[o];
    int found = 0;
    if (*text != '{') { fail("no registers", text); return; }
    for (text++; *text && *text != '}'; found++) {
      if (found < widths[o] && (i->a[at + found] = operand_of(text)).kind != REGISTER) fail("no register", text);
      text += strcspn(text, ",}");
      if (*text == ',') text++;
    }
    if (found != widths[o]) { fail("another number of registers is needed in", operands[o]); return; }
    at += widths[o];
  }
}

static void decode(struct instruction *i, char *text) {
  char *parts[12] = { 0 }, *operands[6] = { 0 };
  int count = 0, number = 0;
  i->predicate = -1;
  i->line = line_number;
  i->width = 1;
  if (*text == '@') {
    i->negated = text[1] == '!';
    i->predicate = operand_of(text + 1 + i->negated).index;
    text += strcspn(text, " \t");
    while (isspace(*text)) text++;
  }
  char *rest = text + strcspn(text, " \t;");
  if (*rest) *rest++ = 0;
  char *rest_of_parts;
  for (char *part = strtok_r(text, ".", &rest_of_parts); part && count < 12; part = strtok_r(NULL, ".", &rest_of_parts)) parts[count++] = part;
  // Operands are separated by commas outside of braces.
  int depth = 0;
  for (char *c = rest, *start = rest; ; c++) {
    depth += (*c == '{') - (*c == '}');
    if ((*c == ',' && !depth) || *c == ';' || !*c) {
      int end = *c != ',';
      *c = 0;
      while (isspace(*start)) start++;
      if (*start && number < 6) operands[number++] = start;
      if (end) break;
      start = c + 1;
    }
  }
  const char *op = parts[0], *second = count > 1 ? parts[1] : "", *last = parts[count - 1];
  if (!strcmp(op, "ret")) { i->op = RET; return; }
  if (!strcmp(op, "bar")) { i->op = BAR; return; }
  if (!strcmp(op, "membar")) { i->op = MEMBAR; if (strcmp(second, "gl")) fail("unknown fence", second); return; }
  if (!strcmp(op, "bra")) { i->op = BRA; i->target = -1; struct name *n = find(operands[0], strcspn(operands[0], " \t;")); if (n) i->target = n->value; else fail("no label", operands[0]); return; }
  if (!strcmp(op, "mma") || !strcmp(op, "cp") || (!strcmp(op, "cvt") && count == 4 && strstr(parts[2], "16x2")) || (!strcmp(op, "fma") && strstr(last, "16x2"))) {
    if (processor < 80) fail("an instruction of sm_80:", op);
    decode_newer(i, parts, count, operands, number);
    return;
  }
  if (!strcmp(op, "shfl")) {
    if (count != 4 || strcmp(second, "sync") || strcmp(parts[2], "bfly") || number != 5 || i->predicate >= 0 || atoi(operands[3]) != 31 || strncmp(operands[4], "0xffffffff", 10)) { fail("not an exchange of all lanes:", op); return; }
    i->op = EXCHANGE;
    for (int o = 0; o < 3; o++) i->a[o] = operand_of(operands[o]);
    if (i->a[0].kind != REGISTER || i->a[1].kind != REGISTER || i->a[2].kind != IMMEDIATE || i->a[2].value > 31) fail("registers and a constant are needed in", op);
    return;
  }
  i->type = type_of(last);
  static const struct { const char *text; enum operation op; } plain[] = {
    { "mov", MOV }, { "add", ADD }, { "sub", SUB }, { "mul", MUL }, { "mad", MAD }, { "fma", FMA }, { "shl", SHL }, { "shr", SHR }, { "and", AND }, { "or", OR }, { "xor", XOR },
    { "not", NOT }, { "neg", NEG }, { "setp", SETP }, { "selp", SELP }, { "cvt", CVT }, { "cvta", MOV }, { "ld", LOAD }, { "st", STORE }, { "rem", REM }, { "div", DIV }, { "rcp", RCP },
    { "sqrt", SQRT }, { "red", RED }, { "atom", ATOM }, { "min", MIN }, { "max", MAX }, { "lop3", LOP3 }, { "prmt", PRMT } };
  int known = -1;
  for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) if (!strcmp(op, plain[k].text)) known = k;
  if (known < 0) { fail("unknown instruction", op); return; }
  i->op = plain[known].op;
  i->rounds = !strcmp(second, "rn");
  if (i->type.kind == 'f' && (i->op == ADD || i->op == SUB || i->op == MUL || i->op == FMA || i->op == DIV || i->op == RCP || i->op == SQRT) && !i->rounds) fail("no rounding mode in", op);
  if (i->op == MUL && !strcmp(second, "wide")) i->op = MUL_WIDE;
  else if (i->op == MUL && i->type.kind != 'f' && strcmp(second, "lo")) fail("unknown instruction mul.", second);
  if (i->op == SETP) i->comparison = compare_named(second, &i->unordered);
  // cvt[.rounding].to.from
  if (i->op == CVT) { i->from = i->type; i->type = type_of(parts[count - 2]); i->rounds = count == 4 ? parts[1][1] : 0; }
  if (i->op == LOAD || i->op == STORE || i->op == RED || i->op == ATOM) {
    const char *space = second;
    i->space = !strcmp(space, "param") ? PARAM : !strcmp(space, "global") ? GLOBAL : !strcmp(space, "shared") ? SHARED : !strcmp(space, "local") ? LOCAL : (fail("no space", space), GLOBAL);
    if ((i->op == RED || i->op == ATOM) && strcmp(parts[2], "add")) fail("unknown reduction", parts[2]);
    if (i->op == ATOM) { i->a[0] = operand_of(operands[0]); i->a[4] = address_of(operands[1]); i->a[1] = operand_of(operands[2]); return; }
    if (count > 3 && parts[2][0] == 'v') i->width = parts[2][1] - '0';
    char *values = operands[i->op == LOAD ? 0 : 1];
    i->a[4] = address_of(operands[i->op == LOAD]);
    if (*values == '{') values++;
    for (int v = 0; v < i->width; v++) { i->a[v] = operand_of(values); values += strcspn(values, ",}") + 1; }
    return;
  }
  for (int o = 0; o < number && o < 5; o++) i->a[o] = operand_of(operands[o]);
}

struct kernel *kernels_load(const char *image, const char *architecture, char *log, size_t log_bytes, int *error) {
  struct kernel *k = calloc(1, sizeof *k);
  struct code *code = k->code = calloc(1, sizeof *code);
  char *text = strdup(image);
  failed = NULL;
  name_count = 0;
  *error = 218;
  char *target = strstr(text, ".target "), *entry = strstr(text, ".entry "), *body, *threads = entry ? strstr(entry, ".reqntid ") : NULL;
  if (!target || !entry || !threads || !(body = strstr(entry, "\n{"))) { snprintf(log, log_bytes, "no PTX with an entry of a known size"); return NULL; }
  if (strncmp(target + 8, architecture, 5) > 0) { *error = 209; snprintf(log, log_bytes, "PTX for %.5s", target + 8); return NULL; }
  processor = atoi(target + 11);
  sscanf(threads, ".reqntid %u, %u, %u", &k->group[0], &k->group[1], &k->group[2]);
  sscanf(entry, ".entry %255[A-Za-z0-9_]", k->name);
  for (char *p = entry; (p = strstr(p, ".param ")) && p < body; p += 7) {
    int align = 4, bytes = 4, bits;
    char name[64];
    if (sscanf(p, ".param .align %d .b8 %63[A-Za-z0-9_][%d]", &align, name, &bytes) != 3 && (sscanf(p, ".param .%*1[a-z]%d %63[A-Za-z0-9_]", &bits, name) != 2 || (align = bytes = bits / 8, 0)))
      fail("no parameter", p);
    k->bytes = (k->bytes + align - 1) / align * align;
    declare(name, strlen(name), A_PARAM, k->bytes);
    if (bytes == 16) k->view[k->views++] = (struct view){ k->bytes, k->bytes + 8 };
    k->bytes += bytes;
  }
  // Labels and memory first, instructions then.
  for (int pass = 0; pass < 2; pass++) {
    char *copy = strdup(body + 2), *save = NULL;
    int count = 0;
    line_number = 0;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
      line_number++;
      while (isspace(*line)) line++;
      size_t length = strcspn(line, " \t:;<");
      int align, bytes, registers;
      char name[64];
      if (!*line || *line == '}' || *line == '{' || !strncmp(line, "//", 2)) continue;
      if (line[length] == ':') { if (!pass) declare(line, length, A_LABEL, count); continue; }
      if (*line == '.') {
        if (pass) continue;
        if (sscanf(line, ".reg .%*s %%%62[a-z]<%d>", name + 1, &registers) == 2) { *name = '%'; declare(name, strlen(name), A_REGISTERS, code->registers); code->registers += registers; }
        else if (sscanf(line, ".shared .align %d .b8 %63[A-Za-z0-9_][%d]", &align, name, &bytes) == 3) { code->shared = (code->shared + 15) / 16 * 16; declare(name, strlen(name), A_SHARED, code->shared); code->shared += bytes; }
        else if (sscanf(line, ".local .align %d .b8 %63[A-Za-z0-9_][%d]", &align, name, &bytes) == 3) { code->local = (code->local + 15) / 16 * 16; declare(name, strlen(name), A_LOCAL, code->local); code->local += bytes; }
        else fail("unknown directive", line);
        continue;
      }
      if (pass) decode(&code->all[count], line);
      count++;
    }
    free(copy);
    code->count = count;
    if (!pass) code->all = calloc(count, sizeof *code->all);
  }
  if (code->shared > 48 << 10) fail("more shared memory than a group has:", k->name);
  free(text);
  if (failed) { snprintf(log, log_bytes, "%s", failed); return NULL; }
  return k;
}

void *kernels_alloc(size_t bytes) { return aligned_alloc(256, (bytes + 255) / 256 * 256); }
void kernels_free(void *at) { free(at); }

// ---- running ----
// A thread's copies to shared memory, which arrive when it waits for them and not before: until then there is what is no number.
struct copies { int count, closed; struct { char *to; const char *from; int batch; } all[64]; };
struct group { struct kernel *k; struct code *c; const unsigned *grid, *size; const char *arguments; char *shared; unsigned at[3]; struct copies *copies; };

static float f(uint64_t bits) { uint32_t b = bits; float v; memcpy(&v, &b, 4); return v; }
static uint64_t of_f(float v) { uint32_t b; memcpy(&b, &v, 4); return b; }
static int64_t s(uint64_t v, int bytes) { int shift = 64 - 8 * bytes; return (int64_t)(v << shift) >> shift; }
static uint64_t u(uint64_t v, int bytes) { return bytes == 8 ? v : v & ((1ULL << 8 * bytes) - 1); }

static void stop(struct group *g, struct instruction *i, const char *what) {
  fake_complain("%s, line %d, group %u,%u,%u: %s", g->k->name, i->line, g->at[0], g->at[1], g->at[2], what);
}

static char *place(struct group *g, struct instruction *i, struct operand o, enum space space, uint64_t *registers, char *local, int bytes) {
  if (o.kind == PARAM_AT) return (char *)g->arguments + o.value;
  char *at = o.kind == REGISTER ? (char *)(registers[o.index] + o.value) : o.kind == SHARED_AT ? g->shared + o.value : local + o.value;
  const char *low = space == SHARED ? g->shared : space == LOCAL ? local : i->low;
  const char *high = space == SHARED ? g->shared + g->c->shared : space == LOCAL ? local + g->c->local : i->high;
  if (space == GLOBAL && !(at >= low && at + bytes <= high)) {
    fake_piece(at, &i->low, &i->high);
    low = i->low;
    high = i->high;
  }
  if (!(at >= low && at + bytes <= high)) { stop(g, i, "memory out of bounds"); return NULL; }
  if ((uintptr_t)at % bytes) { stop(g, i, "memory that is not aligned"); return NULL; }
  return at;
}

static char *memory(struct group *g, struct instruction *i, uint64_t *registers, char *local, int bytes) {
  return place(g, i, i->a[4], i->space, registers, local, bytes);
}

static void start_copy(struct group *g, struct instruction *i, struct copies *c, uint64_t *r, char *local) {
  char *to = place(g, i, i->a[0], SHARED, r, local, 16), *from = place(g, i, i->a[4], GLOBAL, r, local, 16);
  if (!to || !from) return;
  if (c->count == 64) { stop(g, i, "more copies under way than are followed here"); return; }
  memset(to, 0xff, 16);
  c->all[c->count].to = to;
  c->all[c->count].from = from;
  c->all[c->count++].batch = c->closed;
}

static void await_copies(struct copies *c, int under_way) {
  int left = 0;
  for (int n = 0; n < c->count; n++) {
    if (c->all[n].batch < c->closed - under_way) memcpy(c->all[n].to, c->all[n].from, 16);
    else c->all[left++] = c->all[n];
  }
  c->count = left;
}

// To the nearest bf16 or half, ties to even.
static uint32_t to_16(float v, int is_half) {
  uint32_t b = of_f(v), sign = b >> 16 & 0x8000u;
  if (isnan(v)) return 0x7fff;
  if (!is_half) return (b + 0x7fff + (b >> 16 & 1)) >> 16;
  float m = fabsf(v);
  if (m >= 65520) return sign | 0x7c00;
  if (m < 0x1p-14f) return sign | (uint32_t)nearbyintf(m * 0x1p24f);
  int exponent;
  float fraction = frexpf(m, &exponent);
  uint32_t mantissa = (uint32_t)nearbyintf(fraction * 2048);
  return sign | (((uint32_t)(exponent + 14) << 10) + mantissa - 1024);
}
static float from_16(uint32_t b, int is_half) {
  b &= 0xffff;
  if (!is_half) return f((uint64_t)b << 16);
  int exponent = b >> 10 & 31, mantissa = b & 1023;
  float m = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? ldexpf(1024 + mantissa, exponent - 25) : ldexpf(mantissa, -24);
  return b & 0x8000 ? -m : m;
}

// d = a·b + c of a warp, summed in double and rounded once. r: the first lane's registers; stride: from a lane's to the next one's.
static void multiply(struct instruction *i, uint64_t *r, int stride) {
  float a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < 32; lane++) {
    uint64_t *own = r + (size_t)lane * stride;
    int group = lane >> 2, quad = lane & 3;
#define REGISTER_OF(n) own[i->a[n].index]
    for (int e = 0; e < 8; e++) a[group + (e >> 1 & 1) * 8][quad * 2 + (e & 1) + (e >> 2) * 8] = from_16(REGISTER_OF(4 + e / 2) >> (e & 1) * 16, i->is_half);
    for (int e = 0; e < 4; e++) b[quad * 2 + (e & 1) + (e >> 1) * 8][group] = from_16(REGISTER_OF(8 + e / 2) >> (e & 1) * 16, i->is_half);
    for (int e = 0; e < 4; e++) c[group + (e >> 1) * 8][quad * 2 + (e & 1)] = f(REGISTER_OF(10 + e));
  }
  for (int lane = 0; lane < 32; lane++)
    for (int e = 0; e < 4; e++) {
      int row = (lane >> 2) + (e >> 1) * 8, column = (lane & 3) * 2 + (e & 1);
      double sum = c[row][column];
      for (int k = 0; k < 16; k++) sum += (double)a[row][k] * b[k][column];
      r[(size_t)lane * stride + i->a[e].index] = of_f((float)sum);
    }
}

// Every lane of a warp gets the value of the one whose number differs in some bits.
static void exchange(struct instruction *i, uint64_t *r, int stride) {
  uint64_t values[32];
  for (int lane = 0; lane < 32; lane++) values[lane] = r[(size_t)lane * stride + i->a[1].index];
  for (int lane = 0; lane < 32; lane++) r[(size_t)lane * stride + i->a[0].index] = values[lane ^ (int)i->a[2].value];
}

// From a program counter to the next barrier or instruction of a warp; -1 where the thread has ended.
static int run(struct group *g, int pc, uint64_t *r, char *local, unsigned *tid) {
  struct copies *copies = &g->copies[tid[0] + g->size[0] * (tid[1] + g->size[1] * tid[2])];
#define IN(n) (i->a[n].kind == REGISTER ? r[i->a[n].index] : i->a[n].kind == IMMEDIATE ? i->a[n].value : other(g, &i->a[n], tid, local))
#define OUT(v) (r[i->a[0].index] = (v))
  for (;; pc++) {
    if (pc >= g->c->count) return -1;
    struct instruction *i = &g->c->all[pc];
    int bytes = i->type.bytes, is_float = i->type.kind == 'f', is_signed = i->type.kind == 's';
    if (i->predicate >= 0 && (r[i->predicate] != 0) == i->negated) continue;
    switch (i->op) {
      case RET: if (copies->count) stop(g, i, "a thread ended while copies are under way"); return -1;
      case BAR: case MMA: case EXCHANGE: return pc;
      case COPY: start_copy(g, i, copies, r, local); break;
      case CLOSE: copies->closed++; break;
      case AWAIT: await_copies(copies, i->a[0].value); break;
      case MEMBAR: break;
      case BRA: pc = i->target - 1; break;
      default: {
        uint64_t other(struct group *, struct operand *, unsigned *, char *);
        switch (i->op) {
          case MOV: OUT(u(IN(1), bytes)); break;
          case ADD: OUT(is_float ? of_f(f(IN(1)) + f(IN(2))) : u(IN(1) + IN(2), bytes)); break;
          case SUB: OUT(is_float ? of_f(f(IN(1)) - f(IN(2))) : u(IN(1) - IN(2), bytes)); break;
          case MUL: OUT(is_float ? of_f(f(IN(1)) * f(IN(2))) : u(IN(1) * IN(2), bytes)); break;
          case MUL_WIDE: OUT(is_signed ? (uint64_t)(s(IN(1), bytes) * s(IN(2), bytes)) : u(IN(1), bytes) * u(IN(2), bytes)); break;
          case MAD: OUT(u(IN(1) * IN(2) + IN(3), bytes)); break;
          case FMA: OUT(of_f(fmaf(f(IN(1)), f(IN(2)), f(IN(3))))); break;
          case SHL: { uint64_t n = u(IN(2), 4); OUT(n >= (uint64_t)bytes * 8 ? 0 : u(IN(1) << n, bytes)); break; }
          case SHR: {
            uint64_t n = u(IN(2), 4), most = bytes * 8 - 1;
            OUT(is_signed ? u(s(IN(1), bytes) >> (n > most ? most : n), bytes) : n > most ? 0 : u(IN(1), bytes) >> n);
            break;
          }
          case AND: OUT(IN(1) & IN(2)); break;
          case OR: OUT(IN(1) | IN(2)); break;
          case XOR: OUT(IN(1) ^ IN(2)); break;
          case NOT: OUT(i->type.kind == 'p' ? !IN(1) : u(~IN(1), bytes)); break;
          case NEG: OUT(is_float ? IN(1) ^ 0x80000000u : u(-IN(1), bytes)); break;
          case MIN: case MAX: {
            int less = is_signed ? s(IN(1), bytes) < s(IN(2), bytes) : u(IN(1), bytes) < u(IN(2), bytes);
            OUT(less == (i->op == MIN) ? IN(1) : IN(2));
            break;
          }
          case SETP: {
            int c, unordered = 0;
            if (is_float) { float x = f(IN(1)), y = f(IN(2)); unordered = isnan(x) || isnan(y); c = x < y ? -1 : x > y; }
            else if (is_signed) { int64_t x = s(IN(1), bytes), y = s(IN(2), bytes); c = x < y ? -1 : x > y; }
            else { uint64_t x = u(IN(1), bytes), y = u(IN(2), bytes); c = x < y ? -1 : x > y; }
            int yes = i->comparison == EQ ? c == 0 : i->comparison == NE ? c != 0 : i->comparison == LT ? c < 0 : i->comparison == LE ? c <= 0 : i->comparison == GT ? c > 0 : c >= 0;
            OUT(unordered ? i->unordered : yes);
            break;
          }
          case SELP: OUT(IN(3) ? u(IN(1), bytes) : u(IN(2), bytes)); break;
          case REM: case DIV: {
            if (is_float) { OUT(of_f(f(IN(1)) / f(IN(2)))); break; }
            // Not an error here: some number, which a selection then leaves.
            if (!u(IN(2), bytes)) { OUT(u(~0ULL, bytes)); break; }
            if (is_signed) { int64_t x = s(IN(1), bytes), y = s(IN(2), bytes); OUT(u(i->op == DIV ? (y == -1 ? -x : x / y) : (y == -1 ? 0 : x % y), bytes)); }
            else { uint64_t x = u(IN(1), bytes), y = u(IN(2), bytes); OUT(i->op == DIV ? x / y : x % y); }
            break;
          }
          case PACK: OUT(to_16(f(IN(2)), i->is_half) | to_16(f(IN(1)), i->is_half) << 16); break;
          case LOP3: {
            uint32_t x = IN(1), y = IN(2), z = IN(3), table = IN(4), out = 0;
            for (int b = 0; b < 32; b++) out |= (table >> ((x >> b & 1) << 2 | (y >> b & 1) << 1 | (z >> b & 1)) & 1) << b;
            OUT(out);
            break;
          }
          case PRMT: {
            uint64_t bytes_of_both = u(IN(1), 4) | u(IN(2), 4) << 32, selector = IN(3);
            uint32_t out = 0;
            for (int b = 0; b < 4; b++) {
              if (selector >> (4 * b) & 8) { stop(g, i, "a sign that is repeated is not followed here"); return -1; }
              out |= (uint32_t)(bytes_of_both >> 8 * (selector >> (4 * b) & 7) & 255) << 8 * b;
            }
            OUT(out);
            break;
          }
          case FMA_PAIR: {
            uint32_t both = 0;
            for (int h = 0; h < 32; h += 16) both |= to_16((float)((double)from_16(IN(1) >> h, i->is_half) * from_16(IN(2) >> h, i->is_half) + from_16(IN(3) >> h, i->is_half)), i->is_half) << h;
            OUT(both);
            break;
          }
          case RCP: OUT(of_f(1.0f / f(IN(1)))); break;
          case SQRT: OUT(of_f(sqrtf(f(IN(1))))); break;
          case CVT: {
            if (is_float && i->from.kind != 'f') { OUT(of_f(i->from.kind == 's' ? (float)s(IN(1), i->from.bytes) : (float)u(IN(1), i->from.bytes))); break; }
            if (i->from.kind == 'f') {
              float x = i->rounds == 'n' ? nearbyintf(f(IN(1))) : truncf(f(IN(1)));
              if (is_float) { OUT(of_f(x)); break; }
              double high = is_signed ? ldexp(1, 8 * bytes - 1) : ldexp(1, 8 * bytes), low = is_signed ? -high : 0;
              OUT(isnan(x) ? 0 : x >= high ? (is_signed ? u(~0ULL >> (65 - 8 * bytes), bytes) : u(~0ULL, bytes)) : x <= low ? (is_signed ? 1ULL << (8 * bytes - 1) : 0) : u(is_signed ? (uint64_t)(int64_t)x : (uint64_t)x, bytes));
              break;
            }
            OUT(u(i->from.kind == 's' ? (uint64_t)s(IN(1), i->from.bytes) : u(IN(1), i->from.bytes), bytes));
            break;
          }
          case LOAD: {
            char *at = memory(g, i, r, local, bytes * i->width);
            if (!at) return -1;
            for (int v = 0; v < i->width; v++) { uint64_t value = 0; memcpy(&value, at + v * bytes, bytes); r[i->a[v].index] = is_signed && bytes < 4 ? u(s(value, bytes), 4) : value; }
            break;
          }
          case STORE: {
            char *at = memory(g, i, r, local, bytes * i->width);
            if (!at) return -1;
            for (int v = 0; v < i->width; v++) { uint64_t value = IN(v); memcpy(at + v * bytes, &value, bytes); }
            break;
          }
          case RED: case ATOM: {
            char *at = memory(g, i, r, local, bytes);
            if (!at) return -1;
            uint32_t value, sum;
            memcpy(&value, at, 4);
            sum = value + (uint32_t)IN(i->op == ATOM);
            memcpy(at, &sum, 4);
            if (i->op == ATOM) OUT(value);
            break;
          }
          default: break;
        }
      }
    }
  }
}

uint64_t other(struct group *g, struct operand *o, unsigned *tid, char *local) {
  switch (o->kind) {
    case SHARED_AT: return (uint64_t)(g->shared + o->value);
    case LOCAL_AT: return (uint64_t)(local + o->value);
    case PARAM_AT: return (uint64_t)(g->arguments + o->value);
    case TID: return tid[o->index];
    case CTAID: return g->at[o->index];
    case NTID: return g->size[o->index];
    default: return g->grid[o->index];
  }
}

// Runs a warp's threads to where each waits for the group, or has ended.
static void run_warp(struct group *g, int *pc, int first, int count, uint64_t *registers, char *local, int stride) {
  struct code *c = g->c;
  for (;;) {
    int waits = 0, at = -1;
    for (int t = first; t < first + count; t++) {
      unsigned tid[3] = { t % g->size[0], t / g->size[0] % g->size[1], t / (g->size[0] * g->size[1]) };
      if (pc[t] >= 0) pc[t] = run(g, pc[t], registers + (size_t)t * c->registers, local + (size_t)t * stride, tid);
      if (pc[t] >= 0 && c->all[pc[t]].op != BAR) { waits = 1; at = pc[t]; }
    }
    if (!waits) return;
    int same = count == 32;
    for (int t = first; t < first + count; t++) same &= pc[t] == at;
    if (!same) {
      stop(g, &c->all[at], c->all[at].op == MMA ? "lanes of a warp have not come to a matrix instruction together" : "lanes of a warp have not come to an exchange together");
      for (int t = first; t < first + count; t++) pc[t] = -1;
      return;
    }
    (c->all[at].op == MMA ? multiply : exchange)(&c->all[at], registers + (size_t)first * c->registers, c->registers);
    for (int t = first; t < first + count; t++) pc[t]++;
  }
}

void kernels_run(struct kernel *k, const unsigned *grid, const unsigned *size, const char *arguments) {
  struct code *c = k->code;
  int threads = size[0] * size[1] * size[2];
  uint64_t *registers = malloc(sizeof(uint64_t) * threads * c->registers);
  int *pc = malloc(sizeof(int) * threads);
  char *local = aligned_alloc(256, ((size_t)threads * (c->local + 16) / 256 + 1) * 256);
  struct group g = { k, c, grid, size, arguments, aligned_alloc(256, (c->shared / 256 + 1) * 256), { 0 }, malloc(sizeof(struct copies) * threads) };
  int stride = (c->local + 15) / 16 * 16;
  for (int n = 0; n < c->count; n++) c->all[n].low = c->all[n].high = NULL;
  for (g.at[2] = 0; g.at[2] < grid[2]; g.at[2]++)
    for (g.at[1] = 0; g.at[1] < grid[1]; g.at[1]++)
      for (g.at[0] = 0; g.at[0] < grid[0]; g.at[0]++) {
        // What nobody wrote, is no number.
        memset(registers, 0xff, sizeof(uint64_t) * threads * c->registers);
        memset(g.shared, 0xff, c->shared);
        for (int t = 0; t < threads; t++) pc[t] = g.copies[t].count = g.copies[t].closed = 0;
        for (int alive = 1; alive;) {
          int barrier = -2;
          alive = 0;
          for (int t = 0; t < threads; t++) {
            if (t % 32 == 0) run_warp(&g, pc, t, threads - t < 32 ? threads - t : 32, registers, local, stride);
            if (pc[t] < 0) continue;
            if (barrier != -2 && barrier != pc[t]) stop(&g, &c->all[pc[t]], "threads of a group wait at different barriers");
            barrier = pc[t];
            pc[t]++;
            alive = 1;
          }
          for (int t = 0; alive && t < threads; t++) if (pc[t] < 0) { stop(&g, &c->all[barrier], "a thread ended before a barrier"); alive = 0; }
        }
      }
  free(registers);
  free(pc);
  free(local);
  free(g.shared);
  free(g.copies);
}
