using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Compute;

/// <summary>The gated or plain non-linearity of an MLP.</summary>
internal enum Activation
{
    Silu,
    Gelu,
    GeluTanh,
    Relu,
    Sigmoid,

    /// <summary>The square of <see cref="Relu"/>.</summary>
    Relu2,
}

/// <summary>
/// The seam between models and devices: an ordered stream of operations on device memory. Called by
/// <c>Models.Transformer</c>; implemented by <c>Cpu.CpuBackend</c> (computes at once) and by GPU backends (enqueue on a stream).
/// </summary>
/// <remarks>
/// <para>No operation returns data, so none can make the host wait: the only wait is <see cref="Download"/>. What an operation does depends
/// on its arguments alone, never on tensor contents seen by the host; a decode step is therefore a fixed list of operations and can be
/// captured as a graph.</para>
/// <para>Results are bit-equal for a row whatever other rows are in the batch: reductions walk their dimension in one fixed order.</para>
/// <para>All activations are F32 <c>[tokens, features]</c>. Weights may have any <see cref="DType"/> the backend accepts.</para>
/// </remarks>
internal abstract class Backend : IDisposable
{
    /// <summary>Device kind as <c>--device</c> names it: <c>cpu</c>, <c>hip</c>, <c>cuda</c>, <c>opencl</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What the device is, for the start log: instruction set and threads, or the GPU's name.</summary>
    public abstract string Description { get; }

    /// <summary>Memory that weights and cache may use.</summary>
    public abstract long AvailableBytes { get; }

    /// <summary>Kernels that were built so far, each of which may have taken long. May be read on any thread.</summary>
    public virtual long KernelsBuilt => 0;

    /// <summary>Which variant of a multiplication was found to be fastest. Changes time, never a bit.</summary>
    public virtual GemmTuning Tuning { get; } = new();

    /// <summary>Names of the variants of <see cref="Linear"/> for so many rows, <see cref="TunedVariant.Default"/> first. All give the same
    /// bits: what sums in another order is no variant.</summary>
    public virtual IReadOnlyList<string> VariantsOf(LinearWeight weight, int rows) => [TunedVariant.Default];

    /// <summary>Whether inputs of layers that are loaded from now on keep all their digits; else a backend may round them to 16 bits where
    /// that is faster.</summary>
    public virtual bool KeepsInputs { get; set; }

    // ---- memory and weights (load time) ----

    /// <summary>Zeroed device memory for a row-major tensor.</summary>
    public abstract Tensor Allocate(string name, DType dtype, int rows, int columns = 1);

    /// <summary>Gives an allocated tensor's memory back before the backend is disposed of, where the backend can. The default keeps
    /// it.</summary>
    public virtual void Release(Tensor tensor)
    {
    }

    /// <summary>A vector (norm weight, bias) as F32 <c>[1, length]</c>.</summary>
    /// <exception cref="NotSupportedException">The dtype cannot be read; names tensor, dtype and what is supported.</exception>
    public abstract Tensor LoadVector(HostTensor source);

    /// <summary>Weights of a linear layer. <paramref name="parts"/> are <c>[out_i, in]</c> matrices stacked along their rows, so that
    /// q, k and v (or gate and up) become one multiplication; <paramref name="biases"/>, when given, has one <c>[out_i]</c> for each
    /// part.</summary>
    public abstract LinearWeight LoadLinear(string name, IReadOnlyList<HostTensor> parts, IReadOnlyList<HostTensor>? biases = null);

    /// <summary>The same for parts in codes, which stay packed in device memory and are decoded where they are multiplied. Parts may have
    /// scales, groups and tables of their own, but are all of one subclass and as many bits.</summary>
    /// <exception cref="NotSupportedException">The backend has no kernels for quantized weights.</exception>
    /// <exception cref="ArgumentException">Parts or biases do not fit together.</exception>
    public virtual LinearWeight LoadLinear(string name, IReadOnlyList<QuantizedMatrix> parts, IReadOnlyList<HostTensor>? biases = null) =>
        throw new NotSupportedException($"linear layer '{name}' is quantized; device {Name} multiplies by unquantized weights only");

    /// <summary>One linear layer of every expert of a mixture, for <see cref="ExpertLinear"/>. All have the same shape.</summary>
    /// <param name="experts">Made by <c>LoadLinear</c>, in the order of the router's columns.</param>
    public virtual ExpertWeights LoadExperts(string name, IReadOnlyList<LinearWeight> experts) => new(name, experts);

    public abstract EmbeddingTable LoadEmbedding(HostTensor source);

    /// <summary>A matrix <c>[vocabulary, hidden]</c> that tokens are looked up in, and that gives their logits. The default keeps a copy
    /// for each; a backend that can look rows up in weights for multiplying keeps one.</summary>
    /// <param name="firstRow">Where the table begins: of several ranks, one may compute logits of tokens that another looks up.</param>
    /// <param name="rows">Of the table.</param>
    /// <returns>The table's <see cref="EmbeddingTable.ResidentBytes"/> are 0 where the weights have them.</returns>
    public virtual (EmbeddingTable Table, LinearWeight Output) LoadTied(string name, HostTensor source, int firstRow, int rows) =>
        (LoadEmbedding(source.RowRange(firstRow, rows)), LoadLinear(name, [source]));

    public abstract RopeTable LoadRope(RopeFrequencies frequencies);

    public abstract KvCache AllocateKvCache(KvCacheLayout layout);

    /// <summary>Makes what chooses tokens on the device, so that a step returns their ids instead of logits.</summary>
    /// <param name="maxDraws">Most tokens of a step.</param>
    /// <returns>Null where logits are as near to the host as to the device; the default.</returns>
    public virtual DeviceSampler? CreateSampler(int vocabSize, int maxDraws) => null;

    // ---- graphs ----

    /// <summary>Whether steps of one shape can be captured as a graph and replayed. Of several ranks the same on all.</summary>
    public virtual bool CapturesGraphs => false;

    /// <summary>Begins a list of operations that depends on nothing but its shape and what tensors hold; nothing else is called until
    /// <see cref="EndGraph"/>.</summary>
    /// <returns>What the caller must do.</returns>
    public virtual GraphUse BeginGraph(in GraphShape shape) => GraphUse.Compute;

    /// <summary>Ends the list, where <see cref="BeginGraph"/> said <see cref="GraphUse.Capture"/>.</summary>
    /// <returns>False where it could not be captured: nothing of it was done, and it must be computed.</returns>
    public virtual bool EndGraph(in GraphShape shape) => false;

    // ---- operations, in stream order; none waits ----

    /// <summary>Copies host values to the device. The span may be reused as soon as the call returns.</summary>
    public abstract void Upload(ReadOnlySpan<int> values, Tensor destination);

    /// <summary>output[t] = table[ids[t]]. An id outside the table is undefined behaviour: the engine checks ids at its edge.</summary>
    public abstract void Embed(Tensor ids, EmbeddingTable table, Tensor output);

    /// <summary>output[t] += table[ids[t]]: learned positions.</summary>
    public abstract void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output);

    /// <summary>output[t] = x[t] / sqrt(mean(x[t]²) + epsilon) · weight. <paramref name="output"/> may be <paramref name="x"/>.</summary>
    public abstract void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output);

    /// <summary>residual[t] += x[t]; output[t] = RmsNorm(residual[t]).</summary>
    public abstract void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output);

    /// <summary>Normalizes heads of <c>weight.Columns</c> elements one by one, in place, as <see cref="RmsNorm"/> does rows.</summary>
    /// <param name="x"><c>[tokens, …]</c>, rows of whole heads; heads before <paramref name="firstHead"/> and after the last stay as they
    /// are.</param>
    public abstract void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon);

    /// <summary><see cref="RmsNormHeads(Tensor, int, int, Tensor, float)"/> of the first heads and of those that follow, with weights of
    /// their own.</summary>
    public virtual void RmsNormHeads(Tensor x, int heads, Tensor weight, int nextHeads, Tensor nextWeight, float epsilon)
    {
        RmsNormHeads(x, 0, heads, weight, epsilon);
        RmsNormHeads(x, heads, nextHeads, nextWeight, epsilon);
    }

    /// <summary>Normalizes heads one by one, in place, by mean and variance: (x - mean(x)) / sqrt(variance(x) + epsilon) · weight, where
    /// each head has weights of its own.</summary>
    /// <param name="x"><c>[tokens, …]</c>, rows of whole heads; heads before <paramref name="firstHead"/> and after the last stay as they
    /// are.</param>
    /// <param name="weight"><c>[1, heads·headDim]</c>.</param>
    public abstract void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon);

    /// <summary>sums[t, column] = Σ x[t, i]² over <paramref name="count"/> features from <paramref name="first"/> on: with
    /// <see cref="AllReduce"/> and <see cref="RmsScale"/>, a norm over features of which each rank has some.</summary>
    public abstract void SumSquares(Tensor x, int first, int count, Tensor sums, int column);

    /// <summary>x[t, first + i] *= weight[i] / sqrt(sums[t, column] / features + epsilon), in place.</summary>
    /// <param name="features">How many squares <paramref name="sums"/> add up.</param>
    public abstract void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon);

    /// <summary>output[t] = (x[t] - mean(x[t])) / sqrt(variance(x[t]) + epsilon) · weight + bias. <paramref name="output"/> may be
    /// <paramref name="x"/>.</summary>
    public abstract void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output);

    /// <summary>residual[t] += x[t]; output[t] = LayerNorm(residual[t]).</summary>
    public abstract void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output);

    /// <summary>residual[t] += x[t].</summary>
    public abstract void Add(Tensor residual, Tensor x);

    /// <summary>x *= factor, in place.</summary>
    public abstract void Scale(Tensor x, float factor);

    /// <summary>x[i] *= factors[i], in place: a factor for each row.</summary>
    /// <param name="factors">As many as <paramref name="x"/> has rows, read row after row.</param>
    public abstract void ScaleRows(Tensor x, Tensor factors);

    /// <summary>x = cap · tanh(x / cap), in place.</summary>
    public abstract void SoftCap(Tensor x, float cap);

    /// <summary>output[t, n] = Σ_k x[t, k] · weight[n, k] (+ bias[n]).</summary>
    public abstract void Linear(Tensor x, LinearWeight weight, Tensor output);

    /// <summary>Rotates the query and key heads of <paramref name="qkv"/> <c>[tokens, (heads + 2·kvHeads)·headDim]</c> in place by their
    /// positions, then writes keys and values to their slots of <paramref name="cache"/>. A null table rotates nothing.</summary>
    /// <param name="scales">What an FP8 cache's keys and values are divided by; null means nothing.</param>
    public abstract void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null);

    /// <summary><see cref="RmsNormHeads(Tensor, int, Tensor, int, Tensor, float)"/> of all query and key heads, and
    /// <see cref="RopeAndCache"/>: one operation where a device has one.</summary>
    public virtual void NormRopeAndCache(
        Tensor qkv, Tensor queryNorm, Tensor keyNorm, float epsilon, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer,
        KvScales? scales = null)
    {
        var kvHeads = cache.Layout.KvHeads;
        RmsNormHeads(qkv, qkv.Columns / cache.Layout.HeadDim - 2 * kvHeads, queryNorm, kvHeads, keyNorm, epsilon);
        RopeAndCache(qkv, rope, inputs, cache, layer, scales);
    }

    /// <summary>Rotates heads by their rows' positions, in place: what <see cref="RopeAndCache"/> does before it writes.</summary>
    /// <param name="x"><c>[tokens, …]</c>, rows of whole heads; heads before <paramref name="firstHead"/> and after the last stay as they
    /// are.</param>
    /// <param name="positions">I32 <c>[tokens]</c>.</param>
    public abstract void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim);

    /// <summary>Writes what a latent cache keeps of each token to its slot: <paramref name="latent"/> is <c>[tokens, headDim]</c>, already
    /// normalized and rotated.</summary>
    /// <param name="scales">As in <see cref="RopeAndCache"/>; values have the scale of keys.</param>
    public abstract void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null);

    /// <summary>Copies blocks of <paramref name="cache"/>, keys and values of every layer.</summary>
    /// <param name="pairs">I32 <c>[pairs, 2]</c> source and destination, carried out in order: a later pair may overwrite an earlier one's
    /// source.</param>
    public abstract void CopyKvBlocks(KvCache cache, Tensor pairs);

    /// <summary>Causal attention of every row's query heads (the first heads·headDim columns of <paramref name="qkv"/>) over its sequence's
    /// pages, read in place. <paramref name="output"/> is <c>[tokens, heads·valueDim]</c>.</summary>
    /// <param name="qkv"><c>[tokens, (heads + 2·kvHeads)·headDim]</c>; over a latent cache <c>[tokens, heads·headDim]</c>.</param>
    public abstract void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output);

    /// <summary>output[t, i] = activation(gateUp[t, i]) · gateUp[t, i + n] for the halves of <paramref name="gateUp"/> <c>[tokens,
    /// 2n]</c>.</summary>
    public abstract void GatedActivation(Tensor gateUp, Activation activation, Tensor output);

    /// <summary><see cref="Linear"/> and <see cref="GatedActivation"/> with the bits of both, in one operation where a device has
    /// it.</summary>
    /// <param name="gateUp"><c>[tokens, 2n]</c>, room for what lies between; undefined afterwards.</param>
    /// <param name="output"><c>[tokens, n]</c>.</param>
    public virtual void GatedLinear(Tensor x, LinearWeight weight, Activation activation, Tensor gateUp, Tensor output)
    {
        Linear(x, weight, gateUp);
        GatedActivation(gateUp, activation, output);
    }

    /// <summary>output[t, i] = (up + 1) · gate · σ(1.702 · gate) for the halves gate and up of <paramref name="gateUp"/> <c>[tokens,
    /// 2n]</c>, where gate is no more than <paramref name="limit"/> and up within ±<paramref name="limit"/> (HF
    /// modeling_gpt_oss.py).</summary>
    public abstract void ClampedActivation(Tensor gateUp, float limit, Tensor output);

    /// <summary>x = activation(x), in place: the MLP without a gate.</summary>
    public abstract void Activate(Tensor x, Activation activation);

    /// <summary>x = xIELU(x), in place (Huang and Schlag, arXiv 2411.13010): αₚ·x² + β·x where x is positive, else αₙ·(e^min(x, ε) - 1 - x)
    /// + β·x.</summary>
    public abstract void Xielu(Tensor x, XieluScalars scalars);

    /// <summary>Chooses the experts of each token, best first, the lower number first among equals.</summary>
    /// <param name="logits"><c>[tokens, experts of the layer]</c>.</param>
    /// <param name="correction"><c>[1, experts of the layer]</c>, added to scores for the choice, not for weights; null for none.</param>
    /// <param name="experts">Receives their numbers: I32 <c>[tokens, chosen]</c>.</param>
    /// <param name="weights">Receives their weights: <c>[tokens, chosen]</c>.</param>
    /// <exception cref="ArgumentException">See <see cref="ExpertRouting.Check"/>.</exception>
    public abstract void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights);

    /// <summary><see cref="Linear"/> by a router, and <see cref="RouteToExperts"/>: one operation where a device has one.</summary>
    public virtual void Route(
        Tensor x, LinearWeight router, Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        Linear(x, router, logits);
        RouteToExperts(logits, routing, correction, experts, weights);
    }

    /// <summary>output[i] = row of x · (matrix of expert i of <paramref name="experts"/>, read row after row)ᵀ.</summary>
    /// <param name="x"><c>[tokens, in]</c>, each row multiplied by all its experts, or <c>[tokens·chosen, in]</c>, each by its own.</param>
    /// <param name="experts">I32 <c>[tokens, chosen]</c>, from <see cref="RouteToExperts"/>.</param>
    /// <param name="output"><c>[tokens·chosen, out]</c>.</param>
    public abstract void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output);

    /// <summary>output[t, h] = x[t, h] · (matrix h of <paramref name="heads"/>)ᵀ: a linear layer of each head's own.</summary>
    /// <param name="x"><c>[tokens, heads·in]</c>.</param>
    /// <param name="output"><c>[tokens, heads·out]</c>.</param>
    public abstract void HeadLinear(Tensor x, ExpertWeights heads, Tensor output);

    /// <summary>output[t] = Σ_j weights[t, j] · x[t·chosen + j], j ascending.</summary>
    /// <param name="weights">Null for the plain sum.</param>
    public abstract void SumExperts(Tensor x, Tensor? weights, Tensor output);

    /// <summary>output[i] = x[rows[i]]: the rows that need logits.</summary>
    public abstract void GatherRows(Tensor x, Tensor rows, Tensor output);

    // ---- between the ranks of a tensor-parallel group ----

    /// <summary>output[t] = table[ids[t] − firstId], or zeros where the table has no such row: a rank that keeps some tokens'
    /// embeddings.</summary>
    /// <exception cref="NotSupportedException">The backend belongs to no group.</exception>
    public virtual void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output) =>
        throw new NotSupportedException($"device {Name} belongs to no group of ranks");

    /// <summary>x = Σ over ranks of x, in rank order; a group of one leaves it. The default is that of a backend without a group.</summary>
    public virtual void AllReduce(Tensor x)
    {
    }

    /// <summary>output[t] = the ranks' part[t] side by side, rank 0 first.</summary>
    /// <param name="part"><c>[tokens, n]</c>, as wide on every rank.</param>
    /// <param name="output"><c>[tokens, n·ranks]</c>.</param>
    /// <exception cref="NotSupportedException">The backend belongs to no group.</exception>
    public virtual void AllGather(Tensor part, Tensor output) =>
        throw new NotSupportedException($"device {Name} belongs to no group of ranks");

    // ---- the one wait ----

    /// <summary>Waits for everything enqueued before and copies an F32 tensor to the host. Never called by model code.</summary>
    public abstract void Download(Tensor source, Span<float> destination);

    /// <summary>The same for some of its rows. Needed where there is a <see cref="CreateSampler"/>.</summary>
    /// <param name="firstRow">The first to copy; as many follow as fill <paramref name="destination"/>.</param>
    /// <exception cref="NotSupportedException">The backend copies whole tensors only.</exception>
    public virtual void DownloadRows(Tensor source, int firstRow, Span<float> destination) =>
        throw new NotSupportedException($"device {Name} copies whole tensors to the host");

    public abstract void Dispose();
}
