// Payload lengths at the boundaries of their three forms, and forms that are not minimal.
#include "tests/conformance/row.h"

namespace spate::tests {
namespace {

constexpr std::size_t kSizes[] = {0,   1,   2,    124,  125,  126,  127,   128,   129,   254,  255,
                                  256, 257, 1023, 4095, 4096, 4097, 32768, 65534, 65535, 65536};

void add_size_rows(Table& table) {
  for (const std::size_t bytes : kSizes) {
    const std::string size = std::to_string(bytes);
    table.add("length/" + size + " text", "RFC 6455 §5.2", [bytes] {
      return Case{.script = {send(text_frame(text_of(bytes)))},
                  .expect = stays_open({text(text_of(bytes))})};
    });
    table.add("length/" + size + " binary", "RFC 6455 §5.2", [bytes] {
      return Case{.script = {send(binary_frame(bytes_of(bytes)))},
                  .expect = stays_open({binary(bytes_of(bytes))})};
    });
    table.add("length/" + size + " text in 1-byte chops", "RFC 6455 §5.2", [bytes] {
      return Case{.script = {send(text_frame(text_of(bytes)), 1)},
                  .expect = stays_open({text(text_of(bytes))})};
    });
  }
  for (const std::size_t bytes : {65537, 131071, 131072, 1048575, 1048576, 1048577}) {
    table.add(
        "length/" + std::to_string(bytes) + " binary", "RFC 6455 §5.2",
        [bytes] {
          return Case{.script = {send(binary_frame(bytes_of(bytes)))},
                      .expect = stays_open({binary(bytes_of(bytes))})};
        },
        kLargeLimit);
  }
}

struct FormRow {
  std::size_t bytes;
  LengthForm form;
};

// Lengths that a shorter form could have carried.
constexpr FormRow kNotMinimal[] = {
    {0, LengthForm::sixteen_bits},        {1, LengthForm::sixteen_bits},
    {124, LengthForm::sixteen_bits},      {125, LengthForm::sixteen_bits},
    {0, LengthForm::sixty_four_bits},     {1, LengthForm::sixty_four_bits},
    {125, LengthForm::sixty_four_bits},   {126, LengthForm::sixty_four_bits},
    {127, LengthForm::sixty_four_bits},   {65534, LengthForm::sixty_four_bits},
    {65535, LengthForm::sixty_four_bits},
};

std::string form_name(LengthForm form) {
  return form == LengthForm::sixteen_bits ? "16 bits" : "64 bits";
}

void add_form_rows(Table& table) {
  for (const FormRow& row : kNotMinimal) {
    const std::string name = std::to_string(row.bytes) + " in " + form_name(row.form);
    table.add("length/not minimal/" + name + " text", "RFC 6455 §5.2", [row] {
      return Case{.script = {send(build_frame(
                      {.payload = std::string(row.bytes, 'x'), .length_form = row.form}))},
                  .expect = closes(1002)};
    });
    table.add("length/not minimal/" + name + " continuation", "RFC 6455 §5.2", [row] {
      return Case{.script = {send(fragment(kBinary, "a", false) +
                                  build_frame({.opcode = kContinuation,
                                               .payload = std::string(row.bytes, 'x'),
                                               .length_form = row.form}))},
                  .expect = closes(1002)};
    });
  }
  for (const std::uint8_t opcode : {kPing, kPong, kClose}) {
    for (const LengthForm form : {LengthForm::sixteen_bits, LengthForm::sixty_four_bits}) {
      table.add("length/not minimal/2 in " + form_name(form) + " opcode " + std::to_string(opcode),
                "RFC 6455 §5.5", [opcode, form] {
                  return Case{.script = {send(build_frame(
                                  {.opcode = opcode, .payload = "\x03\xe8", .length_form = form}))},
                              .expect = closes(1002)};
                });
    }
  }
}

void add_high_bit_rows(Table& table) {
  for (const std::uint64_t length :
       {std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + 5, ~std::uint64_t{0}}) {
    for (const std::uint8_t opcode : {kText, kBinary}) {
      table.add(
          "length/high bit/" + std::to_string(length) + " opcode " + std::to_string(opcode),
          "RFC 6455 §5.2", [length, opcode] {
            return Case{
                .script = {send(build_header({.opcode = opcode, .announced_length = length}))},
                .expect = closes(1002)};
          });
    }
  }
}

}  // namespace

void add_length_rows(Table& table) {
  add_size_rows(table);
  add_form_rows(table);
  add_high_bit_rows(table);
}

}  // namespace spate::tests
