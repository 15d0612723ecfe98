#include "embed/vector_scan.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* What one step of a size is, in standard deviations of a dim. The eight sizes then lie so that least is lost. */
#define SIZE_STEP 0.37f

/* The mean of |x| of a standard normal x: what a sign keeps of a dim. */
#define MEAN_SIZE 0.7979f

/* In place; len: a power of two. */
static void
hadamard(float *x, size_t len)
{
    float scale = 1 / sqrtf((float)len);

    for (size_t half = 1; half < len; half *= 2)
        for (size_t block = 0; block < len; block += 2 * half)
            for (size_t i = block; i < block + half; i++) {
                float a = x[i], b = x[i + half];

                x[i] = a + b;
                x[i + half] = a - b;
            }
    for (size_t i = 0; i < len; i++)
        x[i] *= scale;
}

static void
flip_some(float *x, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++)
        if ((rng_mix(seed + i) & 1) != 0)
            x[i] = -x[i];
}

/* Two rounds mix all dims. Where their number is no power of two, each is two transforms that overlap. */
static void
rotate(const int8_t *vector, unsigned dims, float *out)
{
    unsigned len = 32;

    ENSURE(dims >= len);
    while (len * 2 <= dims)
        len *= 2;
    for (unsigned i = 0; i < dims; i++)
        out[i] = (float)vector[i];
    for (unsigned round = 0; round < 4; round++) {
        float *part = round % 2 == 0 ? out : out + dims - len;

        if (round % 2 != 0 && len == dims)
            continue;
        flip_some(out, dims, round * SCAN_DIMS_MOST);
        hadamard(part, len);
    }
}

static void
signs_of(const float *rotated, unsigned dims, uint64_t *out)
{
    memset(out, 0, scan_words(dims) * sizeof(out[0]));
    for (unsigned i = 0; i < dims; i++)
        out[i / 64] |= (uint64_t)(rotated[i] > 0) << i % 64;
}

void
scan_signs(const int8_t *vector, unsigned dims, uint64_t *out)
{
    float rotated[SCAN_DIMS_MOST];

    ENSURE(dims > 0 && dims % 32 == 0 && dims <= SCAN_DIMS_MOST);
    rotate(vector, dims, rotated);
    signs_of(rotated, dims, out);
}

void
scan_query_init(struct scan_query *query, const int8_t *vector, unsigned dims)
{
    float rotated[SCAN_DIMS_MOST], square = 0, step;

    ENSURE(dims > 0 && dims % 32 == 0 && dims <= SCAN_DIMS_MOST);
    *query = (struct scan_query){.dims = dims, .words = scan_words(dims)};
    rotate(vector, dims, rotated);
    signs_of(rotated, dims, query->signs);
    for (unsigned i = 0; i < dims; i++)
        square += rotated[i] * rotated[i];
    step = square > 0 ? sqrtf(square / (float)dims) * SIZE_STEP : 1;
    for (unsigned i = 0; i < dims; i++) {
        float steps = rintf(fabsf(rotated[i]) / step);
        unsigned size = steps < SCAN_SIZE_MOST ? (unsigned)steps : SCAN_SIZE_MOST;

        query->sizes += size;
        for (unsigned p = 0; p < SCAN_PLANES; p++)
            query->planes[p][i / 64] |= (uint64_t)(size >> p & 1) << i % 64;
    }
}

/* What is agreed on, less what is not, is on average the cosine's part of what there is. */
float
scan_cosine(const struct scan_query *query, unsigned distance)
{
    return query->sizes != 0 ? 1 - 2 * (float)distance / (float)query->sizes : 0;
}

float
scan_distance(const struct scan_query *query, float cosine)
{
    return (1 - cosine) / 2 * (float)query->sizes;
}

/* A sign says x = MEAN_SIZE on average, and the rest of x is noise (RaBitQ, theorem 3.2); so is what the sizes leave out. */
float
scan_error(const struct scan_query *query, float cosine)
{
    float noise = (1 - MEAN_SIZE * MEAN_SIZE) / (MEAN_SIZE * MEAN_SIZE) * (1 - cosine * cosine);

    return sqrtf((noise + SIZE_STEP * SIZE_STEP / 12) / (float)query->dims);
}

/* The same text compiled for several processors and lengths. */
__attribute__((always_inline)) static inline void
distances_of(const struct scan_query *query, unsigned words, const uint64_t *signs, size_t count, uint16_t *out)
{
    for (size_t i = 0; i < count; i++, signs += words) {
        unsigned ones = 0, twos = 0, fours = 0;

        for (unsigned w = 0; w < words; w++) {
            uint64_t differ = signs[w] ^ query->signs[w];

            ones += (unsigned)__builtin_popcountll(differ & query->planes[0][w]);
            twos += (unsigned)__builtin_popcountll(differ & query->planes[1][w]);
            fours += (unsigned)__builtin_popcountll(differ & query->planes[2][w]);
        }
        out[i] = (uint16_t)(ones + 2 * twos + 4 * fours);
    }
}

__attribute__((always_inline)) static inline void
distances_by_length(const struct scan_query *query, const uint64_t *signs, size_t count, uint16_t *out)
{
    switch (query->words) {
    case 2:
        distances_of(query, 2, signs, count, out);
        break;
    case 4:
        distances_of(query, 4, signs, count, out);
        break;
    case 6:
        distances_of(query, 6, signs, count, out);
        break;
    default:
        distances_of(query, query->words, signs, count, out);
    }
}

static void
distances_plain(const struct scan_query *query, const uint64_t *signs, size_t count, uint16_t *out)
{
    distances_by_length(query, signs, count, out);
}

static int32_t
dot_plain(const int8_t *a, const int8_t *b, size_t dims)
{
    int32_t sum = 0;

    for (size_t i = 0; i < dims; i++)
        sum += a[i] * b[i];
    return sum;
}

static const struct scan_kernels plain = {"plain", distances_plain, dot_plain};

#if defined(__x86_64__)

__attribute__((target("popcnt"))) static void
distances_popcnt(const struct scan_query *query, const uint64_t *signs, size_t count, uint16_t *out)
{
    distances_by_length(query, signs, count, out);
}

__attribute__((target("avx2"))) static int32_t
dot_avx2(const int8_t *a, const int8_t *b, size_t dims)
{
    __m256i sum = _mm256_setzero_si256();
    __m128i low;

    for (size_t i = 0; i < dims; i += 16) {
        __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(a + i)));
        __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + i)));

        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
    }
    low = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    low = _mm_add_epi32(low, _mm_shuffle_epi32(low, 0x4e));
    low = _mm_add_epi32(low, _mm_shuffle_epi32(low, 0xb1));
    return _mm_cvtsi128_si32(low);
}

static const struct scan_kernels avx2 = {"avx2", distances_popcnt, dot_avx2};

size_t
scan_kernels_all(const struct scan_kernels **out, size_t most)
{
    size_t count = 0;

    if (count < most)
        out[count++] = &plain;
    if (count < most && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"))
        out[count++] = &avx2;
    return count;
}

#else

size_t
scan_kernels_all(const struct scan_kernels **out, size_t most)
{
    if (most > 0)
        out[0] = &plain;
    return most > 0 ? 1 : 0;
}

#endif

const struct scan_kernels *
scan_kernels_best(void)
{
    const struct scan_kernels *all[8];

    return all[scan_kernels_all(all, 8) - 1];
}

const struct scan_kernels *
scan_kernels_plain(void)
{
    return &plain;
}
