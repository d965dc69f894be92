// What the driver of gpu.c needs of kernels: read from an image, and run.
#include <stddef.h>

struct view { int at, length_at; };
struct kernel {
  char name[256];
  int bytes;          // of the argument block
  unsigned group[3];  // threads
  int views;
  struct view view[32];
  void *code;         // what kernels_run needs
};

// NULL, an error code and why, for an image that the architecture cannot run.
struct kernel *kernels_load(const char *image, const char *architecture, char *log, size_t log_bytes, int *error);
void kernels_run(struct kernel *kernel, const unsigned *grid, const unsigned *group, const char *arguments);
void *kernels_alloc(size_t bytes);
void kernels_free(void *at);

// What the driver has for kernels: a complaint, and the piece of device memory around an address (none: both null).
void fake_complain(const char *format, ...);
void fake_piece(const void *at, const char **low, const char **high);
