// Rows are few, so one path serves all CPUs.
#include <cstring>

#include "arithmetic.h"
#include "embedding.h"

namespace sopilka::embedding {

using namespace expert_dispatch;

namespace {

// Columns that one step of a sub-block holds, for each of its rows.
constexpr size_t kStepColumns = 4;

}  // namespace

void read_row(const Format& format, size_t columns, const uint8_t* panel, size_t row, float* y) {
  const size_t place = row / 8 * 32 + row % 8 * kStepColumns;
  for (size_t block = 0; block < columns / format.block; ++block) {
    uint16_t half;
    std::memcpy(&half, panel + 2 * row, sizeof half);
    const float scale = float_of_half(half);
    const uint8_t* codes = panel + 2 * kPanelRows + place;
    for (size_t sub = 0; sub < format.block / kSubBlock; ++sub, y += kSubBlock) {
      for (size_t i = 0; i < kSubBlock * format.bits / 8 / kStepColumns; ++i, codes += 64) {
        for (size_t j = 0; j < kStepColumns; ++j) {
          const size_t column = kStepColumns * i + j;
          if (format.bits == 8) {
            y[column] = static_cast<float>(codes[j] - 128) * scale;
          } else {
            y[column] = static_cast<float>((codes[j] & 15) - 8) * scale;
            y[column + kSubBlock / 2] = static_cast<float>((codes[j] >> 4) - 8) * scale;
          }
        }
      }
    }
    panel += format.block_bytes();
  }
}

}  // namespace sopilka::embedding
