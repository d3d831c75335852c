// Attributes to records.
#pragma once

#include "ipvs/fields.h"
#include "netlink/bytes.h"

namespace ipvs {

// Each reads one nest (or, for config and info, the attributes of the command) into a record that is cleared
// first. What is unknown is skipped, what is too short counts as absent, and bytes that end in the middle of
// an attribute end the reading.

void decodeService(netlink::ByteView attributes, ServiceRecord& record);
void decodeDestination(netlink::ByteView attributes, DestinationRecord& record);
void decodeDaemon(netlink::ByteView attributes, DaemonRecord& record);
void decodeConfig(netlink::ByteView attributes, ConfigRecord& record);
void decodeInfo(netlink::ByteView attributes, InfoRecord& record);

}  // namespace ipvs
