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

// gate · up in one: the first half of the outputs are gates.
__attribute__((reqd_work_group_size(64, 4, 1))) kernel void gated(
    global const float4* x, global const uint4* codes, global float* y, int rows, int inputs, int half_outputs, int row_waves) {
  int row = (get_group_id(1) * row_waves + get_local_id(1) % row_waves) * 4;
  int output = (get_group_id(0) * (4 / row_waves) + get_local_id(1) / row_waves) * 64 + get_local_id(0);
  if (row >= rows || output >= half_outputs) return;
  float4 g = dot4(x, codes, row, rows - 1, inputs, inputs / 8, output);
  float4 u = dot4(x, codes, row, rows - 1, inputs, inputs / 8, output + half_outputs);
  float gates[4] = {g.x, g.y, g.z, g.w}, ups[4] = {u.x, u.y, u.z, u.w};
  for (int r = 0; r < 4 && row + r < rows; r++)
    y[(long)(row + r) * half_outputs + output] = gates[r] * (1.0f / (1.0f + exp(-gates[r]))) * ups[r];
}

// Four-bit codes with a bf16 scale and a zero for each group of 128 inputs: a piece has 32 codes.
__attribute__((reqd_work_group_size(64, 4, 1))) kernel void linear4(
    global const float4* x, global const uint4* codes, global const uint* tables, global const int* groups, global float* y, int rows,
    int inputs, int outputs, int row_waves) {
  int row = (get_group_id(1) * row_waves + get_local_id(1) % row_waves) * 4;
  int output = (get_group_id(0) * (4 / row_waves) + get_local_id(1) / row_waves) * 64 + get_local_id(0);
  if (row >= rows || output >= outputs) return;
  int last = rows - 1, quads = inputs / 4, pieces = inputs / 32;
  global const uint4* code = codes + (long)(output / 16) * pieces * 16 + output % 16;
  global const float4* r[4] = {x + (long)row * quads, x + (long)min(row + 1, last) * quads, x + (long)min(row + 2, last) * quads,
                               x + (long)min(row + 3, last) * quads};
  float sums[4] = {0, 0, 0, 0};
  for (int piece = 0; piece < pieces; piece++) {
    uint4 c = code[(long)piece * 16];
    uint words[4] = {c.x, c.y, c.z, c.w}, table = tables[(long)groups[piece * 32] * outputs + output];
    float scale = low(table), zero = (float)(int)(table >> 16);
    for (int quad = 0; quad < 8; quad++) {
      uint word = words[quad / 2] >> (quad % 2 * 16);
      float w0 = ((float)(int)(word & 15) - zero) * scale, w1 = ((float)(int)(word >> 4 & 15) - zero) * scale;
      float w2 = ((float)(int)(word >> 8 & 15) - zero) * scale, w3 = ((float)(int)(word >> 12 & 15) - zero) * scale;
      for (int i = 0; i < 4; i++) {
        float4 a = r[i][8 * piece + quad];
        sums[i] = fma(a.w, w3, fma(a.z, w2, fma(a.y, w1, fma(a.x, w0, sums[i]))));
      }
    }
  }
  for (int i = 0; i < 4 && row + i < rows; i++) y[(long)(row + i) * outputs + output] = sums[i];
}

__attribute__((reqd_work_group_size(64, 1, 1))) kernel void embed(
    global const int* ids, global const ushort* table, global float* y, int columns) {
  int i = get_group_id(0) * 256 + get_local_id(0);
  long row = get_group_id(1);
  for (int end = min(columns, (int)(get_group_id(0) + 1) * 256); i < end; i += 64)
    y[row * columns + i] = as_float((uint)table[(long)ids[row] * columns + i] << 16);
}

__attribute__((reqd_work_group_size(64, 1, 1))) kernel void add(global float* x, global const float* y, int count) {
  int i = get_group_id(0) * 256 + get_local_id(0);
  for (int end = min(count, (int)(get_group_id(0) + 1) * 256); i < end; i += 64) x[i] += y[i];
}

__attribute__((reqd_work_group_size(64, 4, 1))) kernel void layer(
    global const float* x, global const float* weight, global const float* bias, global float* y, int columns, float epsilon) {
  local float parts[256];
  int thread = get_local_id(1) * 64 + get_local_id(0);
  global const float* own = x + (long)get_group_id(0) * columns;
  float mean = 0, scale = 0;
  for (int pass = 0; pass < 2; pass++) {
    float sum = 0;
    for (int i = thread; i < columns; i += 256) sum += pass ? (own[i] - mean) * (own[i] - mean) : own[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    parts[thread] = sum;
    for (int width = 128; width > 0; width /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (thread < width) parts[thread] += parts[thread + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (pass) scale = 1.0f / sqrt(parts[0] / columns + epsilon);
    else mean = parts[0] / columns;
  }
  for (int i = thread; i < columns; i += 256) y[(long)get_group_id(0) * columns + i] = (own[i] - mean) * scale * weight[i] + bias[i];
}

// A wave for each head of 64 to 128 elements, in place.
__attribute__((reqd_work_group_size(64, 1, 1))) kernel void heads(global float* x, global const float* weight, int head_dim, float epsilon) {
  local float parts[64];
  int lane = get_local_id(0);
  global float* own = x + ((long)get_group_id(1) * get_num_groups(0) + get_group_id(0)) * head_dim;
  float sum = 0;
  for (int i = lane; i < head_dim; i += 64) sum = fma(own[i], own[i], sum);
  parts[lane] = sum;
  for (int width = 32; width > 0; width /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < width) parts[lane] += parts[lane + width];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float scale = 1.0f / sqrt(parts[0] / head_dim + epsilon);
  for (int i = lane; i < head_dim; i += 64) own[i] = own[i] * scale * weight[i];
}

inline ushort to_bf16(float v) {
  uint bits = as_uint(v);
  return (ushort)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

// Halves of a head turn against each other; keys [block][head][piece][slot], values [block][head][slot][piece] of 8 elements.
__attribute__((reqd_work_group_size(64, 1, 1))) kernel void rope(
    global float* qkv, global const float* table, global const int* positions, global const int* slots, global ushort* keys,
    global ushort* values, int heads, int kv_heads, int head_dim, int block_size) {
  int head = get_group_id(0), row = get_group_id(1), pairs = head_dim / 2, pieces = head_dim / 8, slot = slots[row];
  global float* own = qkv + ((long)row * (heads + 2 * kv_heads) + head) * head_dim;
  int in_block = slot % block_size, kv_head = head - heads - (head >= heads + kv_heads ? kv_heads : 0);
  long at = ((long)(slot / block_size) * kv_heads + kv_head) * pieces * block_size;
  if (head >= heads + kv_heads) {
    for (int i = get_local_id(0); i < head_dim; i += 64) values[(at + (long)in_block * pieces) * 8 + i] = to_bf16(own[i]);
    return;
  }
  for (int i = get_local_id(0); i < pairs; i += 64) {
    float a = own[i], b = own[i + pairs], c = table[(long)positions[row] * 2 * pairs + i], s = table[(long)positions[row] * 2 * pairs + pairs + i];
    own[i] = fma(a, c, -(b * s));
    own[i + pairs] = fma(b, c, a * s);
    if (head >= heads)
      for (int e = i; e < head_dim; e += pairs) keys[(at + (long)(e / 8) * block_size + in_block) * 8 + e % 8] = to_bf16(own[e]);
  }
}

// Stretches of 256 tokens, softmax merged from one to the next, as attention's kernel without matrix cores does it; one row a sequence.
__attribute__((reqd_work_group_size(64, 4, 1))) kernel void attend(
    global const float* qkv, global const uint4* keys, global const uint4* values, global const int* positions, global const int* tables,
    global float* output, int heads, int kv_heads, int table_width, int block_size, float scale) {
  enum { HEAD = 128, PIECES = 16, STRETCH = 256 };
  local float queries[4 * HEAD], mixed[4 * HEAD], weights[4 * STRETCH], maxima[4], sums[4], own_max[4], own_sum[4], parts[256];
  int thread = get_local_id(1) * 64 + get_local_id(0), kv = get_group_id(0), row = get_group_id(1), per_kv = heads / kv_heads;
  long first = (long)row * (heads + 2 * kv_heads) * HEAD + (long)kv * per_kv * HEAD;
  for (int i = thread; i < per_kv * HEAD; i += 256) { queries[i] = qkv[first + i]; mixed[i] = 0; }
  if (thread < per_kv) { maxima[thread] = -INFINITY; sums[thread] = 0; }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int from = 0; from <= positions[row]; from += STRETCH) {
    int to = min(from + STRETCH, positions[row] + 1);
    for (int i = thread; i < per_kv * STRETCH; i += 256) {
      int token = from + i % STRETCH;
      float score = -INFINITY;
      if (token < to) {
        long at = ((long)tables[row * table_width + token / block_size] * kv_heads + kv) * PIECES * block_size + token % block_size;
        local const float* q = queries + i / STRETCH * HEAD;
        float sum = 0;
        for (int piece = 0; piece < PIECES; piece++, q += 8) {
          uint4 k = keys[at + (long)piece * block_size];
          sum = fma(q[0], low(k.x), sum); sum = fma(q[1], high(k.x), sum); sum = fma(q[2], low(k.y), sum); sum = fma(q[3], high(k.y), sum);
          sum = fma(q[4], low(k.z), sum); sum = fma(q[5], high(k.z), sum); sum = fma(q[6], low(k.w), sum); sum = fma(q[7], high(k.w), sum);
        }
        score = sum * scale;
      }
      weights[i] = score;
    }
    for (int head = 0; head < per_kv; head++) {
      barrier(CLK_LOCAL_MEM_FENCE);
      parts[thread] = weights[head * STRETCH + thread];
      for (int width = 128; width > 0; width /= 2) { barrier(CLK_LOCAL_MEM_FENCE); if (thread < width) parts[thread] = fmax(parts[thread], parts[thread + width]); }
      barrier(CLK_LOCAL_MEM_FENCE);
      float max = parts[0], score = weights[head * STRETCH + thread], weight = score > -INFINITY ? exp(score - max) : 0;
      barrier(CLK_LOCAL_MEM_FENCE);
      weights[head * STRETCH + thread] = weight;
      parts[thread] = weight;
      for (int width = 128; width > 0; width /= 2) { barrier(CLK_LOCAL_MEM_FENCE); if (thread < width) parts[thread] += parts[thread + width]; }
      barrier(CLK_LOCAL_MEM_FENCE);
      if (thread == 0) { own_max[head] = max; own_sum[head] = parts[0]; }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = thread; i < per_kv * HEAD / 4; i += 256) {
      int head = i / (HEAD / 4), quad = i % (HEAD / 4);
      float4 part = 0;
      for (int token = from; token < to; token++) {
        long at = (((long)tables[row * table_width + token / block_size] * kv_heads + kv) * block_size + token % block_size) * PIECES + quad / 2;
        uint4 v = values[at];
        uint a = quad % 2 ? v.z : v.x, b = quad % 2 ? v.w : v.y;
        part = fma((float4)(low(a), high(a), low(b), high(b)), (float4)(weights[head * STRETCH + token - from]), part);
      }
      float larger = fmax(maxima[head], own_max[head]), factor = exp(maxima[head] - larger), own = exp(own_max[head] - larger);
      float4 before = vload4(i, mixed);
      vstore4(fma(before, (float4)(factor), part * own), i, mixed);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (thread < per_kv) {
      float larger = fmax(maxima[thread], own_max[thread]);
      sums[thread] = fma(sums[thread], exp(maxima[thread] - larger), own_sum[thread] * exp(own_max[thread] - larger));
      maxima[thread] = larger;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  for (int i = thread; i < per_kv * HEAD; i += 256) output[((long)row * heads + kv * per_kv) * HEAD + i] = mixed[i] / sums[i / HEAD];
}

// Softmax scores, the best of them one after another, weights that add up to 1.
__attribute__((reqd_work_group_size(64, 1, 1))) kernel void route(
    global const float* logits, global int* experts, global float* weights, int count, int chosen) {
  local float values[64];
  local int numbers[64];
  int lane = get_local_id(0);
  global const float* row = logits + (long)get_group_id(0) * count;
  float largest = -INFINITY, total = 0, sum = 0, last = INFINITY;
  int last_expert = -1;
  for (int i = lane; i < count; i += 64) largest = fmax(largest, row[i]);
  values[lane] = largest;
  for (int width = 32; width > 0; width /= 2) { barrier(CLK_LOCAL_MEM_FENCE); if (lane < width) values[lane] = fmax(values[lane], values[lane + width]); }
  barrier(CLK_LOCAL_MEM_FENCE);
  largest = values[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = lane; i < count; i += 64) total += exp(row[i] - largest);
  values[lane] = total;
  for (int width = 32; width > 0; width /= 2) { barrier(CLK_LOCAL_MEM_FENCE); if (lane < width) values[lane] += values[lane + width]; }
  barrier(CLK_LOCAL_MEM_FENCE);
  total = values[0];
  for (int place = 0; place < chosen; place++) {
    float best = -INFINITY;
    int best_expert = count;
    for (int i = lane; i < count; i += 64)
      if ((row[i] < last || (row[i] == last && i > last_expert)) && (best_expert == count || row[i] > best)) { best = row[i]; best_expert = i; }
    barrier(CLK_LOCAL_MEM_FENCE);
    values[lane] = best;
    numbers[lane] = best_expert;
    for (int width = 32; width > 0; width /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (lane < width && (values[lane + width] > values[lane] || (values[lane + width] == values[lane] && numbers[lane + width] < numbers[lane]))) {
        values[lane] = values[lane + width];
        numbers[lane] = numbers[lane + width];
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    last = values[0];
    last_expert = min(numbers[0], count - 1);
    float weight = exp(last - largest) / total;
    sum += weight;
    if (lane == 0) { experts[get_group_id(0) * chosen + place] = last_expert; weights[get_group_id(0) * chosen + place] = weight; }
  }
  if (lane == 0) for (int place = 0; place < chosen; place++) weights[get_group_id(0) * chosen + place] /= sum;
}

__attribute__((reqd_work_group_size(64, 1, 1))) kernel void sum_experts(
    global const float* x, global const float* weights, global float* y, int columns, int chosen) {
  int i = get_group_id(0) * 256 + get_local_id(0);
  long row = get_group_id(1);
  for (int end = min(columns, (int)(get_group_id(0) + 1) * 256); i < end; i += 64) {
    float sum = 0;
    for (int place = 0; place < chosen; place++) sum = fma(x[(row * chosen + place) * columns + i], weights[row * chosen + place], sum);
    y[row * columns + i] = sum;
  }
}
