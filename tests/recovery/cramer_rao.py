"""The Cramér–Rao bound of (Du, Dv, F, k) from one noisy picture of v, without any code of Unstill.

The picture is v of a state x at rest, R(x, θ) = 0, moved by any (dy, dx): x depends on six numbers. From
R_x·x_θ = −R_θ, with the two translations x_y, x_x taken out, and white noise of standard deviation σ on v,
    cov(θ) ≥ σ² [(MᵀM)⁻¹] of the first four,  M = [v_θ, v_y, v_x]   (Kay 1993, Fundamentals of Statistical Signal
Processing: Estimation Theory, eq. 3.31). It is local: soft defects answer out of proportion to large steps.
"""

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

NAMES = ("Du", "Dv", "F", "k")


def _laplacian(size: int) -> sparse.csr_matrix:
    """Five points on a torus of unit cells."""
    ahead = sparse.coo_matrix((np.ones(size), (np.arange(size), (np.arange(size) + 1) % size)), (size, size))
    line = ahead + ahead.T - 2 * sparse.eye(size)
    return (sparse.kron(line, sparse.eye(size)) + sparse.kron(sparse.eye(size), line)).tocsr()


def _moved(field: np.ndarray, axis: int) -> np.ndarray:
    """The field's derivative along an axis, spectrally."""
    frequency = 2j * np.pi * np.fft.fftfreq(len(field))
    shape = (-1, 1) if axis == 0 else (1, -1)
    return np.fft.ifft2(np.fft.fft2(field) * frequency.reshape(shape)).real.ravel()


def bound(state: np.ndarray, truth: dict[str, float], sigma: float) -> dict[str, float]:
    """{name: the least standard deviation}; `state` (2, N, N) at rest, `sigma` in units of v."""
    u, v = (field.ravel() for field in state)
    laplacian, cells = _laplacian(len(state[0])), u.size
    du, dv, f, k = (truth[name] for name in NAMES)
    jacobian = sparse.bmat([
        [du * laplacian - sparse.diags(v * v + f), -sparse.diags(2 * u * v)],
        [sparse.diags(v * v), dv * laplacian + sparse.diags(2 * u * v - f - k)],
    ])  # fmt: skip
    by_parameter = np.zeros((2 * cells, 4))
    by_parameter[:cells, 0], by_parameter[cells:, 1] = laplacian @ u, laplacian @ v
    by_parameter[:cells, 2], by_parameter[cells:, 2], by_parameter[cells:, 3] = 1 - u, -v, -v
    shifts = np.stack([np.concatenate([_moved(state[0], axis), _moved(state[1], axis)]) for axis in (0, 1)], axis=1)
    bordered = sparse.bmat([[jacobian, shifts], [shifts.T, None]]).tocsc()
    answer = linalg.splu(bordered).solve(np.concatenate([-by_parameter, np.zeros((2, 4))]))[: 2 * cells]
    seen = np.concatenate([answer, shifts], axis=1)[cells:]
    covariance = sigma**2 * np.linalg.inv(seen.T @ seen)
    return dict(zip(NAMES, np.sqrt(np.diag(covariance)[:4]), strict=True))
