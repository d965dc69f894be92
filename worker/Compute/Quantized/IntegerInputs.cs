namespace Cluster.Worker.Compute.Quantized;

/// <summary>How a layer's inputs become signed bytes, so that integers are multiplied by integers (W8A8): byte = input / scale, rounded to
/// the nearest, ties to even, from −128 to 127. Nothing else is rounded before the sum is scaled.</summary>
/// <param name="Scale">Of every row, as the checkpoint has it from a calibration; null where each row has its own, its largest magnitude
/// over 127.</param>
internal sealed record IntegerInputs(float? Scale);
