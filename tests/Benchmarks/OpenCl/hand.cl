// The algorithms of worker/Compute/Ilgpu/Kernels as one would write them in OpenCL C: what ILGPU's code is measured against.
#pragma OPENCL FP_CONTRACT OFF

inline float low(uint word) { return as_float(word << 16); }
inline float high(uint word) { return as_float(word & 0xffff0000u); }

// The products of four rows with one output's bf16 weights: panels of 16 outputs, 16 bytes of each beside each other.
inline float4 dot4(
    global const float4* x, global const uint4* codes, int row, int last, int inputs, int pieces, int output) {
  global const uint4* code = codes + (long)(output / 16) * pieces * 16 + output % 16;
  int quads = inputs / 4;
  global const float4* rows[4] = {x + (long)row * quads, x + (long)min(row + 1, last) * quads, x + (long)min(row + 2, last) * quads,
                                  x + (long)min(row + 3, last) * quads};
  float sums[4] = {0, 0, 0, 0};
  for (int piece = 0; piece < pieces; piece++) {
    uint4 c = code[(long)piece * 16];
    for (int r = 0; r < 4; r++) {
      float4 a = rows[r][2 * piece], b = rows[r][2 * piece + 1];
      float s = fma(a.x, low(c.x), sums[r]);
      s = fma(a.y, high(c.x), s);
      s = fma(a.z, low(c.y), s);
      s = fma(a.w, high(c.y), s);
      s = fma(b.x, low(c.z), s);
      s = fma(b.y, high(c.z), s);
      s = fma(b.z, low(c.w), s);
      sums[r] = fma(b.w, high(c.w), s);
    }
  }
  return (float4)(sums[0], sums[1], sums[2], sums[3]);
}

__attribute__((reqd_work_group_size(64, 4, 1))) kernel void linear(
    global const float4* x, global const uint4* codes, global float* y, int rows, int inputs, int outputs, int row_waves) {
  int row = (get_group_id(1) * row_waves + get_local_id(1) % row_waves) * 4;
  int output = (get_group_id(0) * (4 / row_waves) + get_local_id(1) / row_waves) * 64 + get_local_id(0);
  if (row >= rows || output >= outputs) return;
  float4 sums = dot4(x, codes, row, rows - 1, inputs, inputs / 8, output);
  float values[4] = {sums.x, sums.y, sums.z, sums.w};
  for (int r = 0; r < 4 && row + r < rows; r++) y[(long)(row + r) * outputs + output] = values[r];
}

__attribute__((reqd_work_group_size(64, 1, 1))) kernel void gate(global const float* x, global float* y, int columns) {
  int i = get_group_id(0) * 256 + get_local_id(0);
  long row = get_group_id(1);
  for (int end = min(columns, (int)(get_group_id(0) + 1) * 256); i < end; i += 64) {
    float v = x[row * 2 * columns + i];
    y[row * columns + i] = v * (1.0f / (1.0f + exp(-v))) * x[row * 2 * columns + columns + i];
  }
}

__attribute__((reqd_work_group_size(64, 4, 1))) kernel void rms(
    global const float* x, global const float* weight, global float* y, int columns, float epsilon) {
  local float parts[256];
  int thread = get_local_id(1) * 64 + get_local_id(0);
  global const float* own = x + (long)get_group_id(0) * columns;
  float sum = 0;
  for (int i = thread; i < columns; i += 256) sum = fma(own[i], own[i], sum);
  parts[thread] = sum;
  for (int width = 128; width > 0; width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (thread < width) parts[thread] += parts[thread + width];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float scale = 1.0f / sqrt(parts[0] / columns + epsilon);
  for (int i = thread; i < columns; i += 256) y[(long)get_group_id(0) * columns + i] = own[i] * scale * weight[i];
}
