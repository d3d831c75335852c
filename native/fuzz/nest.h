// Any bytes as a nest of the IPVS family.
#pragma once

#include <cstdlib>
#include <cstring>

#include "ipvs/decode.h"

/// For any input, decoding must set every byte of the record, and equal input must give equal records.
template <class Record, void (*decode)(netlink::ByteView, Record&)>
void fuzzNest(const std::uint8_t* data, std::size_t size) {
  netlink::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  Record first, second;
  std::memset(static_cast<void*>(&first), 0x00, sizeof first);
  std::memset(static_cast<void*>(&second), 0xff, sizeof second);
  decode(bytes, first);
  decode(bytes, second);
  if (std::memcmp(&first, &second, sizeof first) != 0) std::abort();
}
