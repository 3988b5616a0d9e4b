// The compiled parts of fmt that the program uses, linked in: as a shared library (Debian has no other) fmt
// would bring libstdc++.so beside our static one, and 0.5 ms to every start. Explicit instantiations of what
// fmt's headers only declare.
#include <fmt/format-inl.h>

namespace fmt {
inline namespace v9 {
namespace detail {
template void vformat_to(buffer<char>&, string_view, basic_format_args<FMT_BUFFER_CONTEXT(char)>, locale_ref);
template void buffer<char>::append(const char*, const char*);
template dragonbox::decimal_fp<double> dragonbox::to_decimal(double) noexcept;
template dragonbox::decimal_fp<float> dragonbox::to_decimal(float) noexcept;
template thousands_sep_result<char> thousands_sep_impl(locale_ref);
template char decimal_point_impl(locale_ref);
}  // namespace detail
}  // namespace v9
}  // namespace fmt
