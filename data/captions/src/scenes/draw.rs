//! Rasterization of scenes, antialiased.

use std::f32::consts::TAU;

use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap, Point,
    RadialGradient, Rect, Shader, SpreadMode, Transform,
};

use super::SIDE;
use super::scene::{Background, Colour, Material, Object, Scene, Shape};
use crate::DrawError;

/// Stripes or dots across the reach of an object.
const STEPS: f32 = 3.0;
/// Fields of a checked background in each row and column.
const FIELDS: u32 = 8;

impl Scene {
    /// Draws the picture, as PNG.
    ///
    /// # Errors
    /// A [`DrawError`] if memory is short, an object is too small, or the picture cannot be encoded.
    pub fn draw(&self) -> Result<Vec<u8>, DrawError> {
        let mut picture = Pixmap::new(SIDE, SIDE).ok_or(DrawError::NoMemory)?;
        background(&mut picture, self.background);
        for object in &self.objects {
            draw(&mut picture, object).ok_or(DrawError::NoOutline)?;
        }
        picture.encode_png().map_err(|error| DrawError::Png(Box::new(error)))
    }
}

fn background(picture: &mut Pixmap, background: Background) {
    match background {
        Background::White => picture.fill(grey(242)),
        Background::Black => picture.fill(grey(24)),
        Background::Grey => {
            let ends = [Point::zero(), Point::from_xy(SIDE as f32, SIDE as f32)];
            let stops = [GradientStop::new(0.0, grey(190)), GradientStop::new(1.0, grey(110))];
            let (mode, still) = (SpreadMode::Pad, Transform::identity());
            let shader = LinearGradient::new(ends[0], ends[1], stops.to_vec(), mode, still);
            let all = Rect::from_xywh(0.0, 0.0, SIDE as f32, SIDE as f32);
            if let (Some(shader), Some(all)) = (shader, all) {
                picture.fill_rect(all, &paint(shader), still, None);
            }
        }
        Background::Checked => {
            picture.fill(grey(200));
            let side = (SIDE / FIELDS) as f32;
            let fields = (0..FIELDS * FIELDS).map(|at| (at % FIELDS, at / FIELDS));
            for (column, row) in fields.filter(|(column, row)| (column + row) % 2 == 0) {
                let (x, y) = (column as f32 * side, row as f32 * side);
                if let Some(field) = Rect::from_xywh(x, y, side, side) {
                    let dark = paint(Shader::SolidColor(grey(150)));
                    picture.fill_rect(field, &dark, Transform::identity(), None);
                }
            }
        }
    }
}

fn draw(picture: &mut Pixmap, object: &Object) -> Option<()> {
    let [x, y] = object.centre.map(|share| share * SIDE as f32);
    let reach = object.reach * SIDE as f32;
    let outline = outline(object.shape, [x, y], reach)?;
    let (rule, still) = (FillRule::EvenOdd, Transform::identity());
    let colour = colour(object.colour);
    let shader = match object.material {
        Material::Shiny => shine(colour, [x, y], reach)?,
        _ => Shader::SolidColor(colour),
    };
    picture.fill_path(&outline, &paint(shader), rule, still, None);
    let pattern = match object.material {
        Material::Plain | Material::Shiny => return Some(()),
        Material::Striped => stripes([x, y], reach)?,
        Material::Dotted => dots([x, y], reach)?,
    };
    let mut inside = Mask::new(SIDE, SIDE)?;
    inside.fill_path(&outline, rule, true, still);
    let dark = paint(Shader::SolidColor(mixed(colour, Color::BLACK, 0.55)));
    picture.fill_path(&pattern, &dark, FillRule::Winding, still, Some(&inside));
    Some(())
}

fn outline(shape: Shape, [x, y]: [f32; 2], reach: f32) -> Option<Path> {
    let polygon = |corners: &[[f32; 2]]| {
        let mut path = PathBuilder::new();
        for (at, corner) in corners.iter().enumerate() {
            let [x, y] = [x + reach * corner[0], y + reach * corner[1]];
            if at == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        path.close();
        path.finish()
    };
    match shape {
        Shape::Circle => PathBuilder::from_circle(x, y, reach),
        Shape::Ring => {
            let mut path = PathBuilder::new();
            path.push_circle(x, y, reach);
            path.push_circle(x, y, 0.55 * reach);
            path.finish()
        }
        Shape::Square => polygon(&[[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
        Shape::Triangle => polygon(&[[0.0, -1.0], [1.0, 0.85], [-1.0, 0.85]]),
        Shape::Star => polygon(&std::array::from_fn::<_, 10, _>(|at| {
            let (angle, length) = (TAU * at as f32 / 10.0, if at % 2 == 0 { 1.0 } else { 0.45 });
            [length * angle.sin(), -length * angle.cos()]
        })),
        Shape::Cross => {
            let corner = |quarter: usize, [x, y]: [f32; 2]| match quarter {
                0 => [x, y],
                1 => [-y, x],
                2 => [-x, -y],
                _ => [y, -x],
            };
            let arm = [[-0.33, -1.0], [0.33, -1.0], [0.33, -0.33]];
            polygon(&std::array::from_fn::<_, 12, _>(|at| corner(at / 3, arm[at % 3])))
        }
    }
}

/// A highlight at the upper left that fades.
fn shine(colour: Color, [x, y]: [f32; 2], reach: f32) -> Option<Shader<'static>> {
    let spot = Point::from_xy(x - 0.3 * reach, y - 0.3 * reach);
    let stops = vec![
        GradientStop::new(0.0, mixed(colour, Color::WHITE, 0.85)),
        GradientStop::new(0.5, colour),
        GradientStop::new(1.0, mixed(colour, Color::BLACK, 0.35)),
    ];
    let radius = 1.4 * reach;
    RadialGradient::new(spot, 0.0, spot, radius, stops, SpreadMode::Pad, Transform::identity())
}

fn stripes([x, y]: [f32; 2], reach: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    let step = reach / STEPS;
    for at in 0..STEPS as u32 * 2 {
        let left = x - reach + at as f32 * step;
        path.push_rect(Rect::from_xywh(left, y - reach, step / 2.0, 2.0 * reach)?);
    }
    path.finish()
}

fn dots([x, y]: [f32; 2], reach: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (step, rows) = (reach / STEPS, STEPS as u32 * 2);
    for at in 0..rows * rows {
        let [column, row] = [at % rows, at / rows].map(|at| at as f32 + 0.5);
        path.push_circle(x - reach + column * step, y - reach + row * step, step / 3.5);
    }
    path.finish()
}

fn paint(shader: Shader<'_>) -> Paint<'_> {
    Paint { shader, anti_alias: true, ..Paint::default() }
}

fn grey(value: u8) -> Color {
    Color::from_rgba8(value, value, value, u8::MAX)
}

fn colour(colour: Colour) -> Color {
    let [red, green, blue] = match colour {
        Colour::Red => [208, 34, 40],
        Colour::Orange => [243, 128, 16],
        Colour::Yellow => [246, 214, 40],
        Colour::Green => [46, 140, 60],
        Colour::Blue => [36, 92, 204],
        Colour::Purple => [128, 44, 164],
    };
    Color::from_rgba8(red, green, blue, u8::MAX)
}

/// `share` of the way from one colour to another.
fn mixed(from: Color, to: Color, share: f32) -> Color {
    let between = |from: f32, to: f32| from + share * (to - from);
    let red = between(from.red(), to.red());
    let green = between(from.green(), to.green());
    Color::from_rgba(red, green, between(from.blue(), to.blue()), 1.0).unwrap_or(from)
}
