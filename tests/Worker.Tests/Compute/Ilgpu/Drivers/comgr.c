// libamd_comgr without a compiler, of version MAJOR: checks what it is asked in which order, and "builds" code that says what it was made of.
// Handles of what was not given back are counted. See ComgrTests.cs.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long handle; } value;
enum { SOURCE = 1, LOG = 5, BITCODE = 6, RELOCATABLE = 7, EXECUTABLE = 8, NOT_FOUND = -1 };
#if MAJOR >= 3
enum { COMPILE = 2, CODEGEN = 4, LINK = 7 };
#else
enum { COMPILE = 2, CODEGEN = 6, LINK = 9 };
#endif

struct data { int kind, references; size_t size; char *bytes; char name[64]; };
struct set { int count; struct data *all[8]; };
struct info { char isa[128], options[1024]; int language, logging; };
static int live;

int fake_live(void) { return live; }

static void keep(struct data *d) { d->references++; }
static void drop(struct data *d) { if (--d->references == 0) { free(d->bytes); free(d); live--; } }
static struct data *made(int kind, const char *text) {
  struct data *d = calloc(1, sizeof *d);
  live++;
  d->kind = kind;
  d->references = 1;
  d->size = strlen(text);
  d->bytes = strdup(text);
  return d;
}

void amd_comgr_get_version(size_t *major, size_t *minor) { *major = MAJOR; *minor = 4; }
int amd_comgr_status_string(int status, const char **text) { *text = status == 1 ? "ERROR" : status == 2 ? "ERROR_INVALID_ARGUMENT" : "SUCCESS"; return 0; }
int amd_comgr_create_data(int kind, value *v) { v->handle = (unsigned long)made(kind, ""); return 0; }
int amd_comgr_release_data(value v) { drop((struct data *)v.handle); return 0; }
int amd_comgr_set_data(value v, size_t size, const char *bytes) {
  struct data *d = (struct data *)v.handle;
  d->bytes = realloc(d->bytes, size + 1);
  memcpy(d->bytes, bytes, size);
  d->bytes[d->size = size] = 0;
  return 0;
}
int amd_comgr_set_data_name(value v, const char *name) { snprintf(((struct data *)v.handle)->name, 64, "%s", name); return 0; }
int amd_comgr_get_data(value v, size_t *size, char *bytes) {
  struct data *d = (struct data *)v.handle;
  if (bytes) { if (*size < d->size) return 2; memcpy(bytes, d->bytes, d->size); }
  *size = d->size;
  return 0;
}
int amd_comgr_create_data_set(value *v) { live++; v->handle = (unsigned long)calloc(1, sizeof(struct set)); return 0; }
int amd_comgr_destroy_data_set(value v) {
  struct set *s = (struct set *)v.handle;
  for (int i = 0; i < s->count; i++) drop(s->all[i]);
  free(s);
  live--;
  return 0;
}
int amd_comgr_data_set_add(value v, value data) {
  struct set *s = (struct set *)v.handle;
  struct data *d = (struct data *)data.handle;
  if (d->kind == SOURCE && !d->name[0]) return 2;
  keep(s->all[s->count++] = d);
  return 0;
}
int amd_comgr_action_data_count(value v, int kind, size_t *count) {
  struct set *s = (struct set *)v.handle;
  *count = 0;
  for (int i = 0; i < s->count; i++) *count += s->all[i]->kind == kind;
  return 0;
}
int amd_comgr_action_data_get_data(value v, int kind, size_t index, value *data) {
  struct set *s = (struct set *)v.handle;
  for (int i = 0; i < s->count; i++) if (s->all[i]->kind == kind && index-- == 0) { keep(s->all[i]); data->handle = (unsigned long)s->all[i]; return 0; }
  return 2;
}
int amd_comgr_create_action_info(value *v) { live++; v->handle = (unsigned long)calloc(1, sizeof(struct info)); return 0; }
int amd_comgr_destroy_action_info(value v) { free((void *)v.handle); live--; return 0; }
int amd_comgr_action_info_set_isa_name(value v, const char *isa) {
  if (strncmp(isa, "amdgcn-amd-amdhsa--gfx", 22)) return 2;
  snprintf(((struct info *)v.handle)->isa, 128, "%s", isa);
  return 0;
}
int amd_comgr_action_info_set_language(value v, int language) { ((struct info *)v.handle)->language = language; return 0; }
int amd_comgr_action_info_set_logging(value v, _Bool logging) { ((struct info *)v.handle)->logging = logging; return 0; }
int amd_comgr_action_info_set_option_list(value v, const char **options, size_t count) {
  struct info *i = (struct info *)v.handle;
  i->options[0] = 0;
  for (size_t o = 0; o < count; o++) { strcat(i->options, " "); strcat(i->options, options[o]); }
  return 0;
}

static struct data *of_kind(struct set *s, int kind) {
  for (int i = 0; i < s->count; i++) if (s->all[i]->kind == kind) return s->all[i];
  return NULL;
}
int amd_comgr_do_action(int action, value info, value input, value output) {
  struct info *i = (struct info *)info.handle;
  struct set *from = (struct set *)input.handle, *to = (struct set *)output.handle;
  struct data *d = of_kind(from, action == COMPILE ? SOURCE : action == CODEGEN ? BITCODE : action == LINK ? RELOCATABLE : NOT_FOUND);
  char text[4096];
  if (!d || i->language != 2 || !i->isa[0]) return 2;
  if (action == COMPILE) {
    char *wish = strstr(d->bytes, "wish");
    if (wish) {
      if (i->logging) to->all[to->count++] = made(LOG, "kernel.cl:1:1: error: unknown type name 'wish'\n");
      return 1;
    }
    snprintf(text, sizeof text, "%s of %zu bytes for %s:%s", d->name, d->size, i->isa + 19, i->options);
  } else snprintf(text, sizeof text, "%s, %s", d->bytes, action == CODEGEN ? "relocatable" : "executable");
  to->all[to->count++] = made(action == COMPILE ? BITCODE : action == CODEGEN ? RELOCATABLE : EXECUTABLE, text);
  return 0;
}
