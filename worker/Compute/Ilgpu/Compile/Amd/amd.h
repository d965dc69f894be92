// What OpenCL C for AMD GPUs is compiled with in place of the compiler's headers and ROCm's device library: the types, and the few functions
// that our kernels call, in terms of the compiler's own builtins. So any clang with the target will do, and no file of it is needed.
// Barriers fence what their flags name, as newer ROCm device libraries do, so that a barrier with the wrong flag shows in the code.
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#ifndef CLK_LOCAL_MEM_FENCE
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef unsigned long size_t;
typedef float float2 __attribute__((ext_vector_type(2)));
typedef float float4 __attribute__((ext_vector_type(4)));
typedef half half4 __attribute__((ext_vector_type(4)));
typedef int int4 __attribute__((ext_vector_type(4)));
typedef short short4 __attribute__((ext_vector_type(4)));
typedef uint uint2 __attribute__((ext_vector_type(2)));
typedef uint uint4 __attribute__((ext_vector_type(4)));
#define CLK_LOCAL_MEM_FENCE 1
#define CLK_GLOBAL_MEM_FENCE 2
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#endif
#define FENCE_AND_WAIT(...) \
  do { \
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup" __VA_ARGS__); \
    __builtin_amdgcn_s_barrier(); \
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup" __VA_ARGS__); \
  } while (0)
#define work_group_barrier(flags) \
  do { \
    if ((flags) == CLK_LOCAL_MEM_FENCE) FENCE_AND_WAIT(, "local"); \
    else if ((flags) == CLK_GLOBAL_MEM_FENCE) FENCE_AND_WAIT(, "global"); \
    else FENCE_AND_WAIT(); \
  } while (0)
#define atomic_work_item_fence(flags, order, scope) __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "agent")
#define get_local_id(d) \
  ((d) == 0 ? __builtin_amdgcn_workitem_id_x() : (d) == 1 ? __builtin_amdgcn_workitem_id_y() : __builtin_amdgcn_workitem_id_z())
#define get_group_id(d) \
  ((d) == 0 ? __builtin_amdgcn_workgroup_id_x() : (d) == 1 ? __builtin_amdgcn_workgroup_id_y() : __builtin_amdgcn_workgroup_id_z())
#define get_local_size(d) \
  ((uint)((d) == 0 ? __builtin_amdgcn_workgroup_size_x() \
    : (d) == 1 ? __builtin_amdgcn_workgroup_size_y() : __builtin_amdgcn_workgroup_size_z()))
#define get_num_groups(d) \
  ((uint)((d) == 0 ? __builtin_amdgcn_grid_size_x() / __builtin_amdgcn_workgroup_size_x() \
    : (d) == 1 ? __builtin_amdgcn_grid_size_y() / __builtin_amdgcn_workgroup_size_y() \
    : __builtin_amdgcn_grid_size_z() / __builtin_amdgcn_workgroup_size_z()))
#define fma(a, b, c) __builtin_elementwise_fma(a, b, c)
#define fmax(a, b) __builtin_fmaxf(a, b)
#define fmin(a, b) __builtin_fminf(a, b)
#define sqrt(x) __builtin_elementwise_sqrt(x)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define to_global(p) __builtin_astype((size_t)(p), __global void *)
#define as_float(x) __builtin_astype((x), float)
#define as_int(x) __builtin_astype((x), int)
#define as_uint(x) __builtin_astype((x), uint)
#define as_long(x) __builtin_astype((x), long)
#define as_ulong(x) __builtin_astype((x), ulong)
#define as_double(x) __builtin_astype((x), double)
#define atomic_add(p, x) __atomic_fetch_add(p, x, __ATOMIC_RELAXED)
