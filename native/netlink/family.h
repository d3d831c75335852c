// Looks up the number that the kernel assigned to a generic-netlink family.
#pragma once

#include <string>
#include <string_view>

#include "netlink/transport.h"

namespace netlink {

struct FamilyAnswer {
  int error;             ///< 0 or a negative errno; ENOENT if the kernel has no such family
  std::uint16_t number;  ///< the message type of the family's messages
  std::string text;      ///< the kernel's error message, often empty
};

/// Asks the kernel for a family's number. Linux 5.16 and later load the family's module on this request.
FamilyAnswer resolveFamily(Transport& transport, std::string_view name, std::uint32_t sequence,
                           const std::atomic<bool>& abandon);

/// Reads the family's number from an answer's attributes; 0 if there is none.
std::uint16_t readFamilyNumber(ByteView attributes);

}  // namespace netlink
