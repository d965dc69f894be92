// OpenCL C for AMD GPUs on this processor: goes before amd.h, whose builtins are functions of waves.c here. Threads of a group take turns
// there; what lanes of a wave do together waits until all of them have come.
typedef unsigned int uint;
typedef unsigned long ulong;
uint fake_local_id(uint dimension);
uint fake_group_id(uint dimension);
uint fake_groups(uint dimension);
uint fake_threads(uint dimension);
void fake_barrier(void);
int fake_dpp(int value, int control);
int fake_lane(int value, int lane);
int fake_swizzle(int value, int pattern);
int fake_permute(int address, int value);
void fake_mfma(int depth, int is_half, ulong a, ulong b, private float *c);

#define __builtin_amdgcn_workitem_id_x() fake_local_id(0)
#define __builtin_amdgcn_workitem_id_y() fake_local_id(1)
#define __builtin_amdgcn_workitem_id_z() fake_local_id(2)
#define __builtin_amdgcn_workgroup_id_x() fake_group_id(0)
#define __builtin_amdgcn_workgroup_id_y() fake_group_id(1)
#define __builtin_amdgcn_workgroup_id_z() fake_group_id(2)
#define __builtin_amdgcn_workgroup_size_x() fake_threads(0)
#define __builtin_amdgcn_workgroup_size_y() fake_threads(1)
#define __builtin_amdgcn_workgroup_size_z() fake_threads(2)
#define __builtin_amdgcn_grid_size_x() (fake_groups(0) * fake_threads(0))
#define __builtin_amdgcn_grid_size_y() (fake_groups(1) * fake_threads(1))
#define __builtin_amdgcn_grid_size_z() (fake_groups(2) * fake_threads(2))
#define __builtin_amdgcn_fence(...)
#define __builtin_amdgcn_s_barrier() fake_barrier()
#define __builtin_amdgcn_update_dpp(old, value, control, rows, banks, bound) fake_dpp(value, control)
#define __builtin_amdgcn_readlane(value, lane) fake_lane(value, lane)
#define __builtin_amdgcn_ds_swizzle(value, pattern) fake_swizzle(value, pattern)
#define __builtin_amdgcn_ds_bpermute(address, value) fake_permute(address, value)
typedef float fake_quad __attribute__((ext_vector_type(4)));
inline fake_quad fake_multiply(int depth, int is_half, ulong a, ulong b, fake_quad c) {
  float sums[4] = { c.x, c.y, c.z, c.w };
  fake_mfma(depth, is_half, a, b, sums);
  return (fake_quad)(sums[0], sums[1], sums[2], sums[3]);
}
#define __builtin_amdgcn_mfma_f32_16x16x4f32(a, b, c, x, y, z) \
  fake_multiply(4, 0, (ulong)__builtin_astype((float)(a), uint), (ulong)__builtin_astype((float)(b), uint), c)
#define __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, c, x, y, z) \
  fake_multiply(16, 0, __builtin_astype(a, ulong), __builtin_astype(b, ulong), c)
#define __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, c, x, y, z) fake_multiply(16, 1, __builtin_astype(a, ulong), __builtin_astype(b, ulong), c)
