"""PyTorch's Adam, without the second that loading PyTorch's compiler takes."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """``torch.optim.Adam`` to the last bit, for processes that compile nothing.

    PyTorch wraps its optimisers' methods so that its compiler leaves them alone, and loads all of
    the compiler for that: 800 modules. This class uses the functions without the wrapping.
    """

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Adam.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Adam.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
