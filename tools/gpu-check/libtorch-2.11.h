// Operators of libtorch 2.13 that the bindings of tch name and libtorch 2.11 lacks, or has with other arguments. `train` uses
// none of them. tools/gpu-bundle.sh includes this file before each file in C++.
#if __has_include(<torch/torch.h>)
#include <stdexcept>
#include <torch/torch.h>

namespace torch {
#define ABSENT(type, name)                                                \
    template <typename... Arguments> type name(Arguments&&...) {          \
        throw std::runtime_error("libtorch 2.11 has no operator " #name); \
    }
ABSENT(at::Tensor, _flash_attention_forward_no_dropout_inplace)
ABSENT(at::Tensor, _philox_key_fold_in)
ABSENT(at::Tensor, _philox_key_split)
ABSENT(at::Tensor, _philox_normal)
ABSENT(at::Tensor, _philox_normal_)
ABSENT(at::Tensor, _philox_normal_out)
ABSENT(at::Tensor, _philox_uniform)
ABSENT(at::Tensor, _philox_uniform_)
ABSENT(at::Tensor, _philox_uniform_out)
ABSENT(at::Tensor, _upsample_lanczos2d_aa)
ABSENT(at::Tensor, _upsample_lanczos2d_aa_backward)
ABSENT(at::Tensor, _upsample_lanczos2d_aa_backward_out)
ABSENT(at::Tensor, _upsample_lanczos2d_aa_out)
// Without the argument `enable_gqa`.
#define TWO_TENSORS std::tuple<at::Tensor, at::Tensor>
ABSENT(TWO_TENSORS, _scaled_dot_product_attention_math_for_mps)
#undef TWO_TENSORS
#undef ABSENT
} // namespace torch
#endif
