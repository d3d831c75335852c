#include "schema.h"

#include "ipvs/commands.h"
#include "ipvs/fields.h"
#include "ipvs/reply.h"
#include "ipvs/request.h"

namespace node_ipvs {

namespace {

const char* typeName(ipvs::Type type) {
  switch (type) {
    case ipvs::Type::u8:
      return "u8";
    case ipvs::Type::u16:
      return "u16";
    case ipvs::Type::u32:
      return "u32";
    case ipvs::Type::i32:
      return "i32";
    case ipvs::Type::u64:
      return "u64";
    case ipvs::Type::bytes:
      return "bytes";
    case ipvs::Type::string:
      return "string";
  }
  return "";
}

std::string fieldName(const ipvs::Field& field) { return std::string(field.name); }

void addField(Napi::Object fields, const ipvs::Field& field, std::size_t offset, int bit) {
  Napi::Object description = Napi::Object::New(fields.Env());
  description.Set("offset", static_cast<double>(field.offset + offset));
  description.Set("type", typeName(field.type));
  description.Set("length", field.length);
  description.Set("bit", bit);
  fields.Set(fieldName(field), description);
}

template <const auto& nest>
void addRecord(Napi::Object records) {
  using Nest = std::remove_cvref_t<decltype(nest)>;
  using Record = typename Nest::RecordType;
  Napi::Env env = records.Env();
  Napi::Object fields = Napi::Object::New(env);
  for (const ipvs::Field& field : Nest::fields) addField(fields, field, 0, field.bit);
  if constexpr (nest.statistics64 != 0) {
    for (const ipvs::Field& field : ipvs::counterFields) {
      addField(fields, field, nest.countersOffset, nest.countersBit + field.bit);
    }
  }
  Napi::Object record = Napi::Object::New(env);
  record.Set("size", static_cast<double>(sizeof(Record)));
  record.Set("requestSize", static_cast<double>(Record::requestSize));
  record.Set("keySize", static_cast<double>(Record::keySize));
  record.Set("fields", fields);
  records.Set(std::string(nest.name), record);
}

struct Member {
  const char* name;
  std::size_t offset;
  const char* type;
};

void addMembers(Napi::Object object, std::initializer_list<Member> members) {
  for (const Member& member : members) {
    Napi::Object description = Napi::Object::New(object.Env());
    description.Set("offset", static_cast<double>(member.offset));
    description.Set("type", member.type);
    object.Set(member.name, description);
  }
}

}  // namespace

Napi::Object makeSchema(Napi::Env env) {
  using ipvs::ReplyEntry, ipvs::ReplyHeader, ipvs::RequestHeader;

  Napi::Object commands = Napi::Object::New(env);
  for (const ipvs::Command& command : ipvs::commands) commands.Set(std::string(command.name), command.number);

  Napi::Object records = Napi::Object::New(env);
  addRecord<ipvs::serviceNest>(records);
  addRecord<ipvs::destinationNest>(records);
  addRecord<ipvs::daemonNest>(records);
  addRecord<ipvs::configNest>(records);
  addRecord<ipvs::infoNest>(records);

  Napi::Object request = Napi::Object::New(env);
  request.Set("headerSize", static_cast<double>(sizeof(RequestHeader)));
  Napi::Object requestHeader = Napi::Object::New(env);
  addMembers(requestHeader, {{"size", offsetof(RequestHeader, size), "u16"},
                             {"command", offsetof(RequestHeader, command), "u16"},
                             {"flags", offsetof(RequestHeader, flags), "u16"},
                             {"reserved", offsetof(RequestHeader, reserved), "u16"}});
  request.Set("header", requestHeader);
  request.Set("dump", ipvs::requestDump);

  Napi::Object header = Napi::Object::New(env);
  addMembers(header, {{"requestCount", offsetof(ReplyHeader, requestCount), "u32"},
                      {"recordsOffset", offsetof(ReplyHeader, recordsOffset), "u32"},
                      {"textsOffset", offsetof(ReplyHeader, textsOffset), "u32"},
                      {"total", offsetof(ReplyHeader, total), "u32"}});
  Napi::Object entry = Napi::Object::New(env);
  addMembers(entry, {{"outcome", offsetof(ReplyEntry, outcome), "i32"},
                     {"recordCount", offsetof(ReplyEntry, recordCount), "u32"},
                     {"recordsOffset", offsetof(ReplyEntry, recordsOffset), "u32"},
                     {"text", offsetof(ReplyEntry, text), "u32"}});
  Napi::Object outcomes = Napi::Object::New(env);
  outcomes.Set("done", static_cast<int>(ipvs::Outcome::done));
  outcomes.Set("unknown", static_cast<int>(ipvs::Outcome::unknown));
  outcomes.Set("notSent", static_cast<int>(ipvs::Outcome::notSent));

  Napi::Object reply = Napi::Object::New(env);
  reply.Set("headerSize", static_cast<double>(sizeof(ReplyHeader)));
  reply.Set("entrySize", static_cast<double>(sizeof(ReplyEntry)));
  reply.Set("header", header);
  reply.Set("entry", entry);
  reply.Set("outcomes", outcomes);

  Napi::Object schema = Napi::Object::New(env);
  schema.Set("commands", commands);
  schema.Set("records", records);
  schema.Set("request", request);
  schema.Set("reply", reply);
  return schema;
}

}  // namespace node_ipvs
