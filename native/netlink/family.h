// Looking up the number that the kernel gave a generic-netlink family.
#pragma once

#include <string>
#include <string_view>

#include "netlink/transport.h"

namespace netlink {

struct FamilyAnswer {
  int error;             ///< 0 or a negative errno: ENOENT where the kernel has no such family
  std::uint16_t number;  ///< the message type of the family's messages
  std::string text;      ///< the kernel's own words about a refusal
};

/// Asks the kernel for a family's number. Since about Linux 5.16 this loads the family's module.
FamilyAnswer resolveFamily(Transport& transport, std::string_view name, std::uint32_t sequence,
                           const std::atomic<bool>& abandon);

/// Reads the family's number from the attributes of an answer; 0 where there is none.
std::uint16_t readFamilyNumber(ByteView attributes);

}  // namespace netlink
