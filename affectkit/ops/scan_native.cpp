// The selective scan of S6 on the CPU, in float32. Symbols as in selective_scan_ref.py; the interface is scan_native.py's.
//
// A tile is W channels, side by side in the lanes of a vector, so that every step is the same arithmetic for all of them.
// It goes through time in chunks of T steps. The forward pass keeps the states at each chunk's beginning; the backward
// pass goes through the chunks from the last to the first, and makes the states within one anew.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#define HAS_AVX512 1
#endif

namespace {

#if defined(HAS_AVX512)
constexpr int W = 16;
#elif defined(__AVX__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif
constexpr int T = 64;
constexpr float LOG2E = 1.44269504f, LN2 = 0.69314718f;

typedef float V __attribute__((vector_size(4 * W)));
typedef int32_t I __attribute__((vector_size(4 * W)));
// anywhere among floats
typedef float Anywhere __attribute__((vector_size(4 * W), aligned(4), may_alias));
using Lanes = std::make_integer_sequence<int, W>;
#define INLINE static inline __attribute__((always_inline))

struct Arguments {
  const float *u, *delta, *A, *B, *C, *D, *z, *bias;
  float *out, *last, *checkpoints;
  const float *d_out, *d_last;
  float *d_u, *d_delta, *d_z, *d_A, *d_B, *d_C, *d_D, *d_bias;
  int64_t batch, groups, per_group, states, length, softplus;

  int64_t channels() const { return groups * per_group; }
  int64_t tiles_per_group() const { return (per_group + W - 1) / W; }
  int64_t chunks() const { return (length + T - 1) / T; }
  // vectors that hold one number per state
  int64_t state_vectors() const { return (states + W - 1) / W; }
};

// `ScanJob` of scan_job.py. Threads take parts of the tiles; what is summed over tiles, each part has of its own.
struct Job {
  Arguments arguments;
  int64_t tiles, parts;
  std::atomic<int64_t> next, broken;

  Arguments of_part(int64_t part) const {
    Arguments p = arguments;
    if (p.d_A) p.d_A += part * p.channels() * p.states;
    for (float **sum : {&p.d_B, &p.d_C})
      if (*sum) *sum += part * p.batch * p.groups * p.states * p.length;
    for (float **sum : {&p.d_D, &p.d_bias})
      if (*sum) *sum += part * p.channels();
    return p;
  }
  template <typename Pass> void run(Pass pass) {
    for (int64_t part; (part = next.fetch_add(1)) < parts;)
      pass(of_part(part), tiles * part / parts, tiles * (part + 1) / parts);
  }
};

// Where a tile lies: its item of the batch, group, first channel and number of channels.
struct Tile {
  int64_t index, item, group, channel;
  int count;
  Tile(const Arguments &p, int64_t i)
      : index(i), item(i / p.tiles_per_group() / p.groups), group(i / p.tiles_per_group() % p.groups),
        channel(group * p.per_group + i % p.tiles_per_group() * W),
        count((int)std::min<int64_t>(W, (group + 1) * p.per_group - channel)) {}
  int64_t pair(const Arguments &p) const { return item * p.groups + group; }
  int64_t sequence(const Arguments &p) const { return (item * p.channels() + channel) * p.length; }
  float *checkpoints(const Arguments &p) const { return p.checkpoints + index * p.chunks() * p.states * W; }
};

INLINE V load(const float *from) { return *(const Anywhere *)from; }
INLINE void store(float *to, V value) { *(Anywhere *)to = value; }
INLINE V all(float value) { return V{} + value; }
INLINE V load_some(const float *from, int count) {
  V value = {};
  if (from) for (int j = 0; j < count; j++) value[j] = from[j];
  return value;
}

// 2^f for |f| <= 1/2, within 2e-7, and exactly 1 at 0: the decay of a step that is next to nothing.
INLINE V small_exp2(V f) {
  V p = f * 1.32647272e-3f + 9.67151264e-3f;
  p = p * f + 5.55073374e-2f;
  p = p * f + 2.40222421e-1f;
  p = p * f + 6.93146978e-1f;
  return p * f + 1.0f;
}

// 2^t; 0 and infinity where it leaves the range of floats, and NaN of NaN.
INLINE V exp2(V t) {
#if defined(HAS_AVX512)
  V f = (V)_mm512_reduce_ps((__m512)t, 8);
  return (V)_mm512_scalef_ps((__m512)small_exp2(f), (__m512)(t - f));
#else
  // written such that NaN stays
  t = t < -127.0f ? all(-127.0f) : t;
  t = t > 128.0f ? all(128.0f) : t;
  // adding 1.5 2^23 rounds to an integer, which the lowest bits then hold
  V rounded = t + 12582912.0f;
  I scale = ((I)rounded + 127) << 23;
  return small_exp2(t - (rounded - 12582912.0f)) * (V)scale;
#endif
}

INLINE V reciprocal(V x) {
#if defined(HAS_AVX512)
  V r = (V)_mm512_rcp14_ps((__m512)x);
  return r * (2.0f - x * r);
#else
  return 1.0f / x;
#endif
}

INLINE V sigmoid(V x) {
  V t = x * -LOG2E;
  return reciprocal(1.0f + exp2(t > 126.0f ? all(126.0f) : t));
}

// max(x, 0) + log(1 + w) with w = exp(-|x|), where log(1 + w) = 2 artanh(w / (2 + w)); its derivative goes to `slope`.
INLINE V softplus(V x, V &slope) {
  V w = exp2((V)((I)x & 0x7fffffff) * -LOG2E);
  V s = w * reciprocal(w + 2.0f), q = s * s;
  V p = q * 0.140059934f + 0.140009026f;
  p = p * q + 0.200107636f;
  p = p * q + 0.333332081f;
  p = p * q + 1.0f;
  V r = reciprocal(1.0f + w);
  slope = x >= 0.0f ? r : r * w;
  return (x > 0.0f ? x : V{}) + 2.0f * s * p;
}

template <int... L> INLINE V pick(V a, V b) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, L...);
#else
  return __builtin_shuffle(a, b, I{L...});
#endif
}

// Exchange what lies in lanes with bit K of rows without it, and in lanes without bit K of rows with it.
template <int K, int... L> INLINE void exchange(V *rows, std::integer_sequence<int, L...>) {
  for (int i = 0; i < W; i++)
    if (!(i & K)) {
      V a = rows[i], b = rows[i + K];
      rows[i] = pick<(L & K ? W + L - K : L)...>(a, b);
      rows[i + K] = pick<(L & K ? W + L : L + K)...>(a, b);
    }
}
INLINE void transpose(V *rows) {
  if constexpr (W > 8) exchange<8>(rows, Lanes());
  if constexpr (W > 4) exchange<4>(rows, Lanes());
  exchange<2>(rows, Lanes());
  exchange<1>(rows, Lanes());
}

// Lane j of to[t * apart] = from[j * stride + t], of `count` rows and `steps` columns; 0 in other lanes.
void load_columns(V *to, int64_t apart, const float *from, int64_t stride, int count, int steps) {
  for (int t0 = 0; t0 < steps; t0 += W) {
    const int n = std::min(W, steps - t0);
    V block[W] = {};
    if (count == W && n == W) {
      for (int j = 0; j < W; j++) block[j] = load(from + j * stride + t0);
      transpose(block);
    } else
      for (int j = 0; j < count; j++)
        for (int t = 0; t < n; t++) block[t][j] = from[j * stride + t0 + t];
    for (int t = 0; t < n; t++) to[(t0 + t) * apart] = block[t];
  }
}
// The other way round.
void store_columns(float *to, const V *from, int64_t stride, int count, int steps) {
  for (int t0 = 0; t0 < steps; t0 += W) {
    const int n = std::min(W, steps - t0);
    V block[W] = {};
    for (int t = 0; t < n; t++) block[t] = from[t0 + t];
    transpose(block);
    for (int j = 0; j < count; j++)
      if (n == W) store(to + j * stride + t0, block[j]);
      else
        for (int t = 0; t < n; t++) to[j * stride + t0 + t] = block[j][t];
  }
}
// to[t] = the sum of the lanes of from[t * apart].
void store_sums(float *to, const V *from, int64_t apart, int steps) {
  for (int t0 = 0; t0 < steps; t0 += W) {
    const int n = std::min(W, steps - t0);
    V block[W] = {}, sum = {};
    for (int t = 0; t < n; t++) block[t] = from[(t0 + t) * apart];
    transpose(block);
    for (int j = 0; j < W; j++) sum += block[j];
    for (int t = 0; t < n; t++) to[t0 + t] = sum[t];
  }
}
// Numbers per step: those of state n at to[t * state_vectors()][n].
void load_per_state(const Arguments &p, V *to, const float *from, int steps) {
  for (int64_t n = 0; n < p.states; n += W)
    load_columns(to + n / W, p.state_vectors(), from + n * p.length, p.length, (int)std::min<int64_t>(W, p.states - n), steps);
}
// A of the tile by state, for powers of two.
void load_decays(const Arguments &p, const Tile &at, V *A) {
  for (int64_t n = 0; n < p.states; n++) {
    A[n] = V{};
    for (int j = 0; j < at.count; j++) A[n][j] = p.A[(at.channel + j) * p.states + n] * LOG2E;
  }
}
// Step sizes of a chunk, and how they change with what goes into them.
void load_step_sizes(const Arguments &p, const Tile &at, const float *from, int steps, V *delta, V *slope) {
  load_columns(delta, 1, from, p.length, at.count, steps);
  const V bias = load_some(p.bias ? p.bias + at.channel : nullptr, at.count);
  if (p.softplus) for (int t = 0; t < steps; t++) delta[t] = softplus(delta[t] + bias, slope[t]);
  else
    for (int t = 0; t < steps; t++) delta[t] += bias, slope[t] = all(1.0f);
}

// N is the number of states where it is known to the compiler, else 0. Returns the sum of the output, by lane.
template <int N> V forward_tile(const Arguments &p, const Tile &at, V *work) {
  const int states = N ? N : (int)p.states;
  const int64_t vectors = p.state_vectors(), offset = at.sequence(p), per_state = at.pair(p) * p.states * p.length;
  // arrays of known size can stay in registers
  V own[N ? 2 * N : 1], *A = N ? own : work + 2 * T * vectors, *x = A + states, *B = work, *C = B + T * vectors;
  V u[T], delta[T], gate[T], slope[T], total = {};
  load_decays(p, at, A);
  std::fill_n(x, states, V{});
  const V D = load_some(p.D ? p.D + at.channel : nullptr, at.count);
  float *keep = p.checkpoints ? at.checkpoints(p) : nullptr;
  for (int64_t begin = 0; begin < p.length; begin += T) {
    const int steps = (int)std::min<int64_t>(T, p.length - begin);
    if (keep) for (int n = 0; n < states; n++, keep += W) store(keep, x[n]);
    load_columns(u, 1, p.u + offset + begin, p.length, at.count, steps);
    load_step_sizes(p, at, p.delta + offset + begin, steps, delta, slope);
    load_per_state(p, B, p.B + per_state + begin, steps);
    load_per_state(p, C, p.C + per_state + begin, steps);
    for (int t = 0; t < steps; t++) {
      const V dt = delta[t], enters = dt * u[t];
      const float *b = (const float *)(B + t * vectors), *c = (const float *)(C + t * vectors);
      // two sums, since each addition waits for the one before
      V even = D * u[t], odd = {};
#pragma GCC unroll 16
      for (int n = 0; n < states; n++) {
        x[n] = exp2(dt * A[n]) * x[n] + enters * b[n];
        (n & 1 ? odd : even) += x[n] * c[n];
      }
      u[t] = even + odd;
    }
    if (p.z) {
      load_columns(gate, 1, p.z + offset + begin, p.length, at.count, steps);
      for (int t = 0; t < steps; t++) u[t] *= gate[t] * sigmoid(gate[t]);
    }
    for (int t = 0; t < steps; t++) total += u[t];
    store_columns(p.out + offset + begin, u, p.length, at.count, steps);
  }
  for (int j = 0; j < at.count; j++)
    for (int n = 0; n < states; n++) p.last[(at.item * p.channels() + at.channel + j) * states + n] = x[n][j];
  return total;
}

// What the backward pass holds of one tile from chunk to chunk: the gradients of its states and of its weights.
struct Carried {
  V *A, *g, *d_A;
  V d_D, d_bias;
};

// The backward pass through one chunk of one tile; gradients of B and C are added up, still by lane.
template <int N>
void backward_chunk(const Arguments &p, const Tile &at, int64_t chunk, const V *B, const V *C, Carried &its, V *d_B, V *d_C,
                    V *work) {
  const int states = N ? N : (int)p.states, steps = (int)std::min<int64_t>(T, p.length - chunk * T);
  const int64_t vectors = p.state_vectors(), offset = at.sequence(p) + chunk * T;
  // a[t] are decays, x[t] states before step t
  V *a = work, *x = a + T * states;
  V u[T], delta[T], slope[T], dy[T], y[T], gate[T];
  const V D = load_some(p.D ? p.D + at.channel : nullptr, at.count), *A = its.A;
  load_columns(u, 1, p.u + offset, p.length, at.count, steps);
  load_columns(dy, 1, p.d_out + offset, p.length, at.count, steps);
  load_step_sizes(p, at, p.delta + offset, steps, delta, slope);
  for (int n = 0; n < states; n++) x[n] = load(at.checkpoints(p) + (chunk * states + n) * W);
  for (int t = 0; t < steps; t++) {
    const V dt = delta[t], enters = dt * u[t], *before = x + t * states;
    const float *b = (const float *)(B + t * vectors), *c = (const float *)(C + t * vectors);
    V *after = x + (t + 1) * states, *decay = a + t * states, sum = D * u[t];
#pragma GCC unroll 16
    for (int n = 0; n < states; n++) {
      decay[n] = exp2(dt * A[n]);
      after[n] = decay[n] * before[n] + enters * b[n];
      sum += after[n] * c[n];
    }
    y[t] = sum;
  }
  if (p.z) {
    load_columns(gate, 1, p.z + offset, p.length, at.count, steps);
    for (int t = 0; t < steps; t++) {
      const V share = sigmoid(gate[t]), silu = gate[t] * share, d_out = dy[t];
      dy[t] = d_out * silu;
      gate[t] = d_out * y[t] * (share + silu * (1.0f - share));
    }
    store_columns(p.d_z + offset, gate, p.length, at.count, steps);
  }
  for (int t = steps - 1; t >= 0; t--) {
    const V dt = delta[t], enters = dt * u[t], *before = x + t * states, *after = before + states, *decay = a + t * states;
    const float *b = (const float *)(B + t * vectors), *c = (const float *)(C + t * vectors);
    V *db = d_B + t * states, *dc = d_C + t * states, *carry = its.g, *d_A = its.d_A, through_A = {}, through_B = {};
#pragma GCC unroll 16
    for (int n = 0; n < states; n++) {
      const V g = dy[t] * c[n] + carry[n], passed = decay[n] * g, to_exponent = passed * before[n];
      dc[n] += dy[t] * after[n];
      db[n] += g * enters;
      carry[n] = passed;
      through_B += g * b[n];
      through_A += to_exponent * A[n];
      d_A[n] += to_exponent * dt;
    }
    const V d_delta = (through_A * LN2 + through_B * u[t]) * slope[t];
    its.d_D += dy[t] * u[t];
    its.d_bias += d_delta;
    u[t] = through_B * dt + dy[t] * D;
    delta[t] = d_delta;
  }
  store_columns(p.d_u + offset, u, p.length, at.count, steps);
  store_columns(p.d_delta + offset, delta, p.length, at.count, steps);
}

// The backward pass through tiles of one item and group, chunk by chunk, so that B and C get one sum over all of them.
template <int N> void backward_tiles(const Arguments &p, int64_t first, int64_t stop) {
  const int64_t states = p.states, vectors = p.state_vectors(), tiles = stop - first;
  const int64_t pair = Tile(p, first).pair(p) * states * p.length;
  std::unique_ptr<V[]> memory(new V[tiles * states * 3 + T * vectors * 2 + T * states * 2 + (2 * T + 1) * states]);
  V *B = memory.get() + tiles * states * 3, *C = B + T * vectors, *d_B = C + T * vectors, *d_C = d_B + T * states;
  V *work = d_C + T * states;
  std::unique_ptr<Carried[]> carried(new Carried[tiles]());
  for (int64_t i = 0; i < tiles; i++) {
    const Tile at(p, first + i);
    Carried &its = carried[i];
    its.A = memory.get() + i * states * 3, its.g = its.A + states, its.d_A = its.g + states;
    load_decays(p, at, its.A);
    std::fill_n(its.g, states * 2, V{});
    const float *d_last = p.d_last ? p.d_last + (at.item * p.channels() + at.channel) * states : nullptr;
    if (d_last) for (int n = 0; n < states; n++)
      for (int j = 0; j < at.count; j++) its.g[n][j] = d_last[j * states + n];
  }
  for (int64_t chunk = p.chunks() - 1; chunk >= 0; chunk--) {
    const int64_t begin = chunk * T;
    const int steps = (int)std::min<int64_t>(T, p.length - begin);
    load_per_state(p, B, p.B + pair + begin, steps);
    load_per_state(p, C, p.C + pair + begin, steps);
    std::fill_n(d_B, 2 * T * states, V{});
    for (int64_t i = 0; i < tiles; i++) backward_chunk<N>(p, Tile(p, first + i), chunk, B, C, carried[i], d_B, d_C, work);
    for (int64_t n = 0; n < states; n++) {
      store_sums(p.d_B + pair + n * p.length + begin, d_B + n, states, steps);
      store_sums(p.d_C + pair + n * p.length + begin, d_C + n, states, steps);
    }
  }
  for (int64_t i = 0; i < tiles; i++) {
    const Tile at(p, first + i);
    for (int j = 0; j < at.count; j++) {
      for (int n = 0; n < states; n++) p.d_A[(at.channel + j) * states + n] += carried[i].d_A[n][j];
      if (p.d_D) p.d_D[at.channel + j] += carried[i].d_D[j];
      if (p.d_bias) p.d_bias[at.channel + j] += carried[i].d_bias[j];
    }
  }
}

// Whether the output of these tiles is finite, by its sum, which may overflow: who is told otherwise has to look.
template <int N> bool forward(const Arguments &p, int64_t first, int64_t stop) {
  std::unique_ptr<V[]> work(new V[2 * p.states + 2 * T * p.state_vectors()]);
  V total = {};
  for (int64_t i = first; i < stop; i++) total += forward_tile<N>(p, Tile(p, i), work.get());
  for (int j = 0; j < W; j++)
    if (total[j] - total[j] != 0.0f) return false;
  return true;
}
template <int N> void backward(const Arguments &p, int64_t first, int64_t stop) {
  for (int64_t i = first, end; i < stop; i = end) {
    end = std::min(stop, (i / p.tiles_per_group() + 1) * p.tiles_per_group());
    backward_tiles<N>(p, i, end);
  }
}

}  // namespace

extern "C" {
int scan_width() { return W; }
int scan_steps() { return T; }
void scan_forward(Job *job) {
  job->run([job](const Arguments &p, int64_t first, int64_t stop) {
    if (!(p.states == 16 ? forward<16>(p, first, stop) : forward<0>(p, first, stop))) job->broken = 1;
  });
}
void scan_backward(Job *job) {
  job->run([](const Arguments &p, int64_t first, int64_t stop) {
    p.states == 16 ? backward<16>(p, first, stop) : backward<0>(p, first, stop);
  });
}
}
