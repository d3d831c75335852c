// Decodes attributes into records.
#pragma once

#include "ipvs/fields.h"
#include "netlink/bytes.h"

namespace ipvs {

// Each function clears the record, then reads one nest into it (for config and info, the attributes of the
// command). Unknown attributes are skipped, and one that is too short counts as absent. Decoding stops at an
// attribute that is cut off.

void decodeService(netlink::ByteView attributes, ServiceRecord& record);
void decodeDestination(netlink::ByteView attributes, DestinationRecord& record);
void decodeDaemon(netlink::ByteView attributes, DaemonRecord& record);
void decodeConfig(netlink::ByteView attributes, ConfigRecord& record);
void decodeInfo(netlink::ByteView attributes, InfoRecord& record);

}  // namespace ipvs
