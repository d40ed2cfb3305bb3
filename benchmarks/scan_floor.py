"""The floor of the selective scan, for `selective_scan.py`: arithmetic that no kernel can do without, in C++."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from affectkit.ops import scan_native

FLOOR = r"""
#include <cstdint>
#ifdef __AVX512F__
#include <immintrin.h>
constexpr int W = 16;
#else
constexpr int W = 8;
#endif
typedef float V __attribute__((vector_size(4 * W)));
typedef int32_t I __attribute__((vector_size(4 * W)));
#define INLINE static inline __attribute__((always_inline))
INLINE V exponential(V t) {
#ifdef __AVX512F__
  V r = (V)_mm512_roundscale_ps((__m512)t, 8), f = t - r;
#else
  V r = t + 12582912.0f, f = t - (r - 12582912.0f);
#endif
  V p = ((((f * 1.33e-3f + 9.67e-3f) * f + 5.55e-2f) * f + 0.2402f) * f + 0.6931f) * f + 1.0f;
#ifdef __AVX512F__
  return (V)_mm512_scalef_ps((__m512)p, (__m512)r);
#else
  return p * (V)((I)r + 127 << 23);
#endif
}
INLINE V inverse(V x) {
#ifdef __AVX512F__
  V r = (V)_mm512_rcp14_ps((__m512)x);
  return r * (2.0f - x * r);
#else
  return 1.0f / x;
#endif
}
INLINE V softplus(V x) {
  V w = exponential(-x), s = w * inverse(w + 2.0f), q = s * s;
  return x + ((((q * 0.14f + 0.14f) * q + 0.2f) * q + 0.333f) * q + 1.0f) * s;
}
// `steps` of W channels with 16 states
extern "C" float forward(int64_t steps, const float *values) {
  V A[16], x[16] = {}, sum = {}, v = V{} + values[0];
  for (int n = 0; n < 16; n++) A[n] = V{} - values[n + 1];
  for (int64_t t = 0; t < steps; t++) {
    v = v * 0.999f + 1e-4f;
    V dt = softplus(v), enters = dt * v, y = {};
#pragma GCC unroll 16
    for (int n = 0; n < 16; n++) {
      x[n] = exponential(dt * A[n]) * x[n] + enters * values[n];
      y += x[n] * values[n + 16];
    }
    sum += y * v * inverse(1.0f + exponential(v));
  }
  return sum[0];
}
extern "C" float backward(int64_t steps, const float *values) {
  V A[16], x[9][16] = {}, a[8][16], g[16] = {}, dA[16] = {}, dB[8][16] = {}, dC[8][16] = {}, sum = {};
  V v = V{} + values[0], dt[8], us[8], dy[8];
  for (int n = 0; n < 16; n++) A[n] = V{} - values[n + 1];
  for (int64_t begin = 0; begin < steps; begin += 8) {
    for (int t = 0; t < 8; t++) {
      us[t] = v = v * 0.999f + 1e-4f;
      dt[t] = softplus(v);
      dy[t] = v * inverse(1.0f + exponential(v));
#pragma GCC unroll 16
      for (int n = 0; n < 16; n++) {
        a[t][n] = exponential(dt[t] * A[n]);
        x[t + 1][n] = a[t][n] * x[t][n] + dt[t] * us[t] * values[n];
      }
    }
    for (int t = 7; t >= 0; t--) {
      V through_A = {}, through_B = {};
#pragma GCC unroll 16
      for (int n = 0; n < 16; n++) {
        V gradient = dy[t] * values[n + 16] + g[n];
        dC[t][n] += dy[t] * x[t + 1][n];
        dB[t][n] += gradient * (dt[t] * us[t]);
        through_B += gradient * values[n];
        g[n] = a[t][n] * gradient;
        V h = g[n] * x[t][n];
        through_A += h * A[n];
        dA[n] += h * dt[t];
      }
      sum += through_A + through_B;
    }
    for (int n = 0; n < 16; n++) x[0][n] = x[8][n];
  }
  for (int n = 0; n < 16; n++) sum += dA[n];
  for (int t = 0; t < 8; t++)
    for (int n = 0; n < 16; n++) sum += dB[t][n] + dC[t][n];
  return sum[0];
}
extern "C" int width() { return W; }
"""


def build_floor() -> Any:
    if (compiler := scan_native.find_compiler()) is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "floor.cpp").write_text(FLOOR)
    command = [*compiler, *scan_native.FLAGS, str(folder / "floor.cpp"), "-o", str(folder / "floor.so")]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(folder / "floor.so"))
    for function in (library.forward, library.backward):
        function.argtypes, function.restype = [ctypes.c_int64, ctypes.c_void_p], ctypes.c_float
    return library
